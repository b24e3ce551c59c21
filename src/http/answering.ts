import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { TOKEN_NAME } from '../../schemas/licences.js'
import type { Logger } from '../ground/logger.js'
import { RequestTrace } from '../ground/request-trace.js'
import { type Journal, OBJECT_BYTES, type RecordedRequest } from '../journal/journal.js'
import type { Metrics } from '../metrics.js'
import { isUnroutable } from './unknown-paths.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Where requests are traced. */
    trace: RequestTrace | undefined
  }
  interface FastifyContextConfig {
    /** Whether the journal passes this route over. */
    isOutsideJournal?: boolean
  }
  interface FastifyReply {
    isRecorded: boolean
    /** What the log says of a request beside its route: nothing secret. */
    asked: Readonly<Record<string, string | number>> | undefined
  }
}

const TOKEN_HEADER = TOKEN_NAME.toLowerCase()

/** In the log and the metrics, where a request has no path. */
export const INVALID_ROUTE = 'invalid'

export interface AnsweringOptions {
  readonly logger: Logger
  readonly metrics: Metrics
  /** Whether a journal or faults need to know what becomes of a request. */
  readonly traces: boolean
  /** Where requests are recorded for those who want to see them. */
  readonly journal?: Journal | undefined
}

/** What holds for every route: headers, one log line, one observation. */
export const answering = fp(async (app: FastifyInstance, options: AnsweringOptions) => {
  const { logger, metrics, traces, journal } = options
  app.decorateRequest('trace', undefined)
  app.decorateReply('asked', undefined)
  app.decorateReply('isRecorded', false)

  function record(request: FastifyRequest, reply: FastifyReply, isAborted: boolean): void {
    if (reply.isRecorded) return
    reply.isRecorded = true
    const { routeOptions } = request
    const route = routeOf(request, routeOptions)
    const status = statusOf(reply, isAborted)
    metrics.answered(route ?? 'unknown', status, reply.elapsedTime)
    if (journal?.isListening === true && routeOptions.config.isOutsideJournal !== true)
      journal.add(recordedRequest(request, reply, { route, status }))
    logger.info(
      {
        requestId: request.id,
        method: request.method,
        route,
        path: route === undefined ? withoutSecrets(request.url) : undefined,
        status,
        aborted: isAborted ? true : undefined,
        ms: milliseconds(reply),
        errorCode: reply.refusal?.code,
        fault: request.trace?.fault?.id,
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

function routeOf({ raw }: FastifyRequest, { url, config }: FastifyRequest['routeOptions']): string | undefined {
  if (config.isUnknownPath === true) return undefined
  return url ?? (isUnroutable(raw) ? INVALID_ROUTE : undefined)
}

/** Of a request that was not answered before its caller was gone no status was sent. nginx writes the same. */
export const CALLER_GONE = 499

function statusOf({ raw, statusCode }: FastifyReply, isAborted: boolean): number {
  return isAborted && !raw.headersSent ? CALLER_GONE : statusCode
}

function milliseconds({ elapsedTime }: FastifyReply): number {
  return Math.round(elapsedTime * 1000) / 1000
}

type Answered = Pick<RecordedRequest, 'route' | 'status'>

/** References to what is there anyway: who reads the journal pays for the rest. */
function recordedRequest(request: FastifyRequest, reply: FastifyReply, answered: Answered): RecordedRequest {
  const { url, headers, trace } = request
  const { refusal } = reply
  const token = headers[TOKEN_HEADER]
  const { host, authorization } = headers
  const userAgent = headers['user-agent']
  const bodySize = sizeOfBody(request)
  const texts = url.length + (host?.length ?? 0) + (userAgent?.length ?? 0) + (token?.length ?? 0)
  return {
    id: request.id,
    ms: milliseconds(reply),
    method: request.method,
    url,
    route: answered.route,
    body: bodySize > 0 ? request.body : undefined,
    host,
    address: request.ip ?? '',
    userAgent,
    secretHeaders: token === undefined && authorization === undefined ? undefined : [token, authorization],
    customer: trace?.customerId,
    environment: trace?.environment,
    drm: trace?.drm,
    ignored: textOf(reply.getHeader('x-ignored-parameters')),
    assumed: textOf(reply.getHeader('x-assumed-parameters')),
    status: answered.status,
    errorCode: refusal?.code,
    message: refusal?.message,
    parameter: refusal?.parameter,
    fault: trace?.fault?.id,
    size: OBJECT_BYTES + texts + (authorization?.length ?? 0) + PARSED * bodySize,
    number: 0,
    time: 0,
  }
}

/** What a byte of a body may need in memory when it is parsed: many short names are the worst. */
const PARSED = 8
/** A longer body is not recorded. */
const LONGEST_BODY = 65_536

/** Of a body that is recorded, which no challenge is, nor a stream; else 0. */
function sizeOfBody({ body, headers }: FastifyRequest): number {
  if (typeof body !== 'object' || body === null || ArrayBuffer.isView(body) || 'pipe' in body) return 0
  // A body in chunks does not say how long it is.
  const size = Number(headers['content-length'] ?? JSON.stringify(body).length)
  return size <= LONGEST_BODY ? size : 0
}

function textOf(header: number | string | readonly string[] | undefined): string | undefined {
  return header === undefined ? undefined : String(header)
}

function addStandardHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('cache-control', 'no-store').header('x-request-id', request.id)
}

/** The path of an unknown route, to find the mistake in it; without anything that is long enough to be a secret. */
function withoutSecrets(url: string): string {
  const segments = url.replace(/[?#].*$/s, '').split('/')
  return segments
    .map(segment => (/^(?:[A-Za-z_-]{0,24}|[\w.-]{1,8})$/.test(segment) ? segment : '…'))
    .join('/')
    .slice(0, 200)
}
