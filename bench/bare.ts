import fastify from 'fastify'

/** The measure: Fastify routes that do nothing and answer as many bytes as the service does. */
const answer = process.argv[2] ?? ''
const app = fastify()
app.get('/hms/pr/token', (_request, reply) => reply.header('content-type', 'text/uri-list').send(answer))
app.post('/hms/ck/rights/', (_request, reply) => reply.header('content-type', 'application/json').send(answer))
const url = await app.listen({ host: '127.0.0.1', port: 0 })
process.send?.(url)
