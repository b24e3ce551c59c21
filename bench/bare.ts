import fastify from 'fastify'

/** The measure: a Fastify route that does nothing and answers as many bytes as a token's answer has. */
const answer = process.argv[2] ?? ''
const app = fastify()
app.get('/hms/pr/token', (_request, reply) => reply.header('content-type', 'text/uri-list').send(answer))
const url = await app.listen({ host: '127.0.0.1', port: 0 })
process.send?.(url)
