import fastify from 'fastify'

/** The measure of the entitlement service: a route behind mutual TLS that answers as many bytes and does nothing. */
const [answer = '', key, cert, ca] = process.argv.slice(2)
const app = fastify({ https: { key, cert, ca, requestCert: true, rejectUnauthorized: true } })
app.post('/entitlement', (_request, reply) => reply.header('content-type', 'application/json').send(answer))
process.send?.(await app.listen({ host: '127.0.0.1', port: 0 }))
