import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'

/** The measure of a gateway: one that forwards and does nothing else. */
const app = fastify()
await app.register(httpProxy, { upstream: process.argv[2] ?? '', undici: { connections: 64, pipelining: 1 } })
const url = await app.listen({ host: '127.0.0.1', port: 0 })
process.send?.(url)
