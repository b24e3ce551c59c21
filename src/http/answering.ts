import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Logger } from '../ground/logger.js'
import { RequestTrace } from '../ground/request-trace.js'
import type { Metrics } from '../metrics.js'
import { isUnroutable } from './unknown-paths.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Where requests are traced. */
    trace: RequestTrace | undefined
  }
  interface FastifyReply {
    isRecorded: boolean
    /** What the log says of a request beside its route: nothing secret. */
    asked: Readonly<Record<string, string | number>> | undefined
  }
}

/** In the log and the metrics, where a request has no path. */
export const INVALID_ROUTE = 'invalid'

export interface AnsweringOptions {
  readonly logger: Logger
  readonly metrics: Metrics
  /** Whether a journal or faults need to know what becomes of a request. */
  readonly traces: boolean
}

/** What holds for every route: headers, one log line, one observation. */
export const answering = fp(async (app: FastifyInstance, { logger, metrics, traces }: AnsweringOptions) => {
  app.decorateRequest('trace', undefined)
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
    if (traces) request.trace = new RequestTrace()
    addStandardHeaders(request, reply)
    if (request.raw.socket.destroyed) {
      // Its connection ended while it was queued.
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
})

function addStandardHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('cache-control', 'no-store').header('x-request-id', request.id)
}

/** Of a request that was not answered before its caller was gone: no status was sent. nginx writes the same. */
const CALLER_GONE = 499

/** The path of an unknown route, to find the mistake in it; without anything that is long enough to be a secret. */
function withoutSecrets(url: string): string {
  const segments = url.replace(/[?#].*$/s, '').split('/')
  return segments
    .map(segment => (/^(?:[A-Za-z_-]{0,24}|[\w.-]{1,8})$/.test(segment) ? segment : '…'))
    .join('/')
    .slice(0, 200)
}
