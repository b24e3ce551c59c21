import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { StatusError } from '../errors/public-error.js'

/**
 * A shutdown that answers the requests in flight and waits for nothing else: new requests are refused, and connections
 * without a request are closed, whether kept alive, opened in advance, or stalled in the middle of a request's head.
 */
export const draining = fp(async (app: FastifyInstance) => {
  // On a server that the host application owns, the host ends the connections.
  if (!app.hasDecorator('connections')) return
  const { connections } = app

  // When every plugin has said in which form its endpoints refuse.
  app.addHook('preParsing', (_request, reply, _payload, next) => {
    if (!connections.isDraining) return next()
    reply.header('connection', 'close')
    next(new StatusError(503, 'The server is shutting down'))
  })

  app.addHook('preClose', async () => connections.drain())
})
