import type { ServerOptions } from 'node:https'
import fastify, { type FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { refuseBadUrl } from '../routes/answering.js'
import { refuseBadHttp } from '../routes/bad-http.js'
import type { Config } from './config.js'
import type { Randomness } from './randomness.js'
import { requestIds } from './request-ids.js'

export interface HttpServerParts {
  readonly config: Config
  readonly random: Randomness
  readonly logger: Logger
  /** With these it speaks TLS. */
  readonly tls?: ServerOptions | undefined
}

/** Fastify without what it does by itself: its own log lines (they hold URLs), JSON bodies. */
export function httpServer({ config, random, logger, tls }: HttpServerParts): FastifyInstance {
  const newRequestId = requestIds(random)
  const app = fastify({
    logger: false,
    ...(tls && { https: tls }),
    genReqId: newRequestId,
    bodyLimit: config.BODY_LIMIT,
    trustProxy: config.TRUSTED_PROXIES ?? false,
    // Many KIDs in one path: what bounds them is how long a request's head may be.
    routerOptions: { maxParamLength: 16_384 },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    requestTimeout: 30_000,
    frameworkErrors: refuseBadUrl(logger),
    clientErrorHandler: refuseBadHttp(newRequestId),
  }) as unknown as FastifyInstance // whether it speaks TLS is nothing that a route sees
  app.removeAllContentTypeParsers()
  // An expectation that we do not know is no reason to refuse (RFC 9110, 10.1.1), least of all past our own answers.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  return app
}
