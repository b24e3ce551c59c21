import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { sendRefusal } from './answers.js'

/**
 * A shutdown that answers the requests in flight and waits for nothing else: new requests are refused, and connections
 * without a request are closed, be they kept alive, opened in advance, or silent after half a request's head.
 */
export const draining = fp(async (app: FastifyInstance) => {
  const { connections } = app

  // When every plugin has said in which form its endpoints refuse.
  app.addHook('preParsing', (request, reply, _payload, next) => {
    if (!connections.isDraining) return next()
    const refusal = { status: 503, code: 503, message: 'The server is shutting down' }
    sendRefusal(request, reply.header('connection', 'close'), refusal)
  })

  app.addHook('preClose', async () => connections.drain())
})
