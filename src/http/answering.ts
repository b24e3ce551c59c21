import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Logger } from 'pino'
import { framesOf, PublicError, type Refusal } from '../errors/public-error.js'
import type { Metrics } from '../metrics.js'
import { sendRefusal } from './answers.js'
import { isUnroutable, markUnroutable, refuseUnknown } from './methods.js'

declare module 'fastify' {
  interface FastifyReply {
    isRecorded: boolean
  }
}

/** In the log and the metrics, where a request has no path. */
export const INVALID_ROUTE = 'invalid'

export interface AnsweringOptions {
  readonly logger: Logger
  readonly metrics: Metrics
}

/** What holds for every route: headers, errors in the form asked for, one log line, one observation. */
export const answering = fp(async (app: FastifyInstance, { logger, metrics }: AnsweringOptions) => {
  app.setNotFoundHandler(refuseUnknown(app))
  app.decorateReply('refusal', undefined)
  app.decorateReply('errorFormat', undefined)
  app.decorateReply('asked', undefined)
  app.decorateReply('isRecorded', false)

  function record(request: FastifyRequest, reply: FastifyReply, isAborted: boolean): void {
    if (reply.isRecorded) return
    reply.isRecorded = true
    const route = request.routeOptions.url ?? (isUnroutable(request.raw) ? INVALID_ROUTE : undefined)
    const status = isAborted && !reply.raw.headersSent ? CALLER_GONE : reply.statusCode
    metrics.answered(route ?? 'unknown', status, reply.elapsedTime)
    logger.info(
      {
        requestId: request.id,
        method: request.method,
        route,
        path: route === undefined ? withoutSecrets(request.url) : undefined,
        status,
        aborted: isAborted ? true : undefined,
        ms: Math.round(reply.elapsedTime * 1000) / 1000,
        errorCode: reply.refusal?.code,
        asked: reply.asked,
      },
      'answered',
    )
  }

  app.addHook('onRequest', (request, reply, next) => {
    addStandardHeaders(request, reply)
    if (request.raw.socket.destroyed) {
      // Its connection ended while it waited for its turn.
      reply.hijack()
      return record(request, reply, true)
    }
    reply.raw.once('close', () => record(request, reply, true))
    next()
  })

  // Node calls an answer finished, too, that the end of its connection has thrown away.
  app.addHook('onResponse', (request, reply, next) => {
    record(request, reply, request.raw.socket.destroyed)
    next()
  })

  app.setErrorHandler<FastifyError>((error, request, reply) => {
    if (error instanceof PublicError && error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
    return sendRefusal(request, reply, publicPartOf(error, request, logger))
  })
})

function addStandardHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('cache-control', 'no-store').header('x-request-id', request.id)
}

/** Of a request that was not answered before its caller was gone: no status was sent. nginx writes the same. */
const CALLER_GONE = 499

/**
 * Sends what the router refuses before any hook runs, a path that is no URL, to the router once more: as a path that
 * it can read and nobody serves. So it is counted, limited, logged and answered like everything else.
 */
export function refuseUnroutable(route: (request: IncomingMessage, response: ServerResponse) => void) {
  return ({ statusCode }: FastifyError, { raw }: FastifyRequest, reply: FastifyReply): void => {
    markUnroutable(raw, statusCode ?? 400)
    raw.url = (raw.url ?? '').replace(/^[^?#]*/, '/')
    route(raw, reply.raw)
  }
}

const HTTP_REFUSALS: ReadonlyMap<number, string> = new Map([
  [400, 'Bad request'],
  [413, 'The body is too large'],
  [415, 'The body has a content type that is not read here'],
])

/** The one place that decides what of an error its cause gets to see. */
function publicPartOf(error: FastifyError | PublicError, request: FastifyRequest, logger: Logger): Refusal {
  if (error instanceof PublicError) {
    if (error.cause !== undefined) logFailure(error.cause, request, logger)
    return error
  }
  const status = error.statusCode ?? 500
  const message = HTTP_REFUSALS.get(status) ?? STATUS_CODES[status]
  if (status < 500 && message !== undefined) return { status, code: status, message }
  logFailure(error, request, logger)
  return { status: 500, code: 500, message: 'Internal server error' }
}

/** The path of an unknown route, to find the mistake in it; without anything that is long enough to be a secret. */
function withoutSecrets(url: string): string {
  const segments = url.replace(/[?#].*$/s, '').split('/')
  return segments
    .map(segment => (/^(?:[A-Za-z_-]{0,24}|[\w.-]{1,8})$/.test(segment) ? segment : '…'))
    .join('/')
    .slice(0, 200)
}

/** Only where and what kind: the text of an unforeseen error may quote what it failed on. */
export function logFailure(failure: unknown, request: FastifyRequest, logger: Logger): void {
  const error = failure instanceof Error ? failure : new Error('not an error')
  logger.error({ requestId: request.id, error: error.name, stack: framesOf(error) }, 'failed')
}
