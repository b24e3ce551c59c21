import type { RequestListener } from 'node:http'
import type { Server } from 'node:https'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
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
  /** Makes a server that speaks TLS. */
  readonly createServer?: ((handler: RequestListener) => Server) | undefined
  /** Whose word on where a request comes from holds, where it is not TRUSTED_PROXIES. */
  readonly proxies?: readonly string[] | undefined
  /** The form of errors where the application has only one. */
  readonly errorFormat?: 'entitlement' | undefined
}

/** Fastify without what it does by itself: its own log lines (they hold URLs), JSON bodies. */
export function httpServer(parts: HttpServerParts): FastifyInstance {
  const { config, random, logger, createServer, errorFormat } = parts
  const proxies = parts.proxies ?? config.TRUSTED_PROXIES
  const newRequestId = requestIds(random)
  const app = fastify({
    logger: false,
    ...(createServer && servedBy(createServer)),
    genReqId: newRequestId,
    bodyLimit: config.BODY_LIMIT,
    trustProxy: proxies === undefined ? false : [...proxies],
    // Many KIDs in one path: what bounds them is how long a request's head may be.
    routerOptions: { maxParamLength: 16_384 },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    requestTimeout: 30_000,
    frameworkErrors: refuseBadUrl(logger, errorFormat),
    clientErrorHandler: refuseBadHttp(newRequestId, errorFormat),
  }) as unknown as FastifyInstance // whether it speaks TLS is nothing that a route sees
  app.removeAllContentTypeParsers()
  // Of the two Node gives the longer one to the whole request.
  app.server.headersTimeout = app.server.requestTimeout
  // An expectation that we do not know is no reason to refuse (RFC 9110, 10.1.1), least of all past our own answers.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  return app
}

/**
 * With a factory Fastify makes one server only, for `localhost` too, and leaves its timeouts to it. That there are
 * options of TLS tells it the scheme, and no more.
 */
function servedBy(createServer: (handler: RequestListener) => Server) {
  return {
    https: {},
    serverFactory: (handler: RequestListener, options: FastifyServerOptions) => {
      const server = createServer(handler)
      server.keepAliveTimeout = options.keepAliveTimeout ?? server.keepAliveTimeout
      server.requestTimeout = options.requestTimeout ?? server.requestTimeout
      return server
    },
  }
}
