import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { PublicError } from '../errors/public-error.js'
import type { Logger } from '../ground/logger.js'
import { type Journal, OBJECT_BYTES, type RecordedRequest } from '../journal/journal.js'
import type { AddressLimit } from '../limits/rate-limits.js'
import type { Metrics } from '../metrics.js'
import { INVALID_ROUTE } from './answering.js'
import { type ErrorForm, htmlErrors } from './error-forms.js'
import type { HttpConnections } from './http-connections.js'

export interface BadHttpParts {
  readonly connections: HttpConnections
  readonly newRequestId: (request: Pick<IncomingMessage, 'headers'>) => string
  readonly logger: Logger
  readonly metrics: Metrics
  readonly journal?: Journal | undefined
  readonly addresses?: AddressLimit | undefined
  /** Where it is not HTML. */
  readonly errorForm?: ErrorForm | undefined
}

interface HttpRefusal {
  readonly status: number
  readonly reason: string
  readonly message?: string
  readonly retryAfter?: number | undefined
}

const BAD_REQUEST: HttpRefusal = { status: 400, reason: 'Bad Request' }
const REFUSALS: Readonly<Record<string, HttpRefusal>> = {
  HPE_HEADER_OVERFLOW: { status: 431, reason: 'Request Header Fields Too Large' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, reason: 'Payload Too Large' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, reason: 'Request Timeout' },
}

/**
 * Answers bytes that are no HTTP request: there is no request to read an error format from, so in HTML where the
 * application does not have another form. They count as a request, for the log, the metrics and the limit.
 */
export function badHttp(parts: BadHttpParts) {
  const { connections, newRequestId, logger, metrics, journal, errorForm = htmlErrors } = parts

  function answer(socket: Socket, asked: HttpRefusal): void {
    const requestId = newRequestId({ headers: {} })
    const { remoteAddress: address = '' } = socket
    const refusal = withinLimit(parts.addresses, socket) ?? asked
    const { status, reason, message = reason, retryAfter } = refusal
    const text = errorForm.present({ status, code: status, message }, { id: requestId })
    const head = [
      `HTTP/1.1 ${status} ${reason}`,
      `content-type: ${errorForm.contentType}`,
      `content-length: ${Buffer.byteLength(text)}`,
      'cache-control: no-store',
      `x-request-id: ${requestId}`,
      ...(retryAfter === undefined ? [] : [`retry-after: ${retryAfter}`]),
      'connection: close',
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n${text}`)
    // Nothing that still comes can be understood, and a peer that does not hang up must not hold the socket.
    socket.destroySoon()
    metrics.answered(INVALID_ROUTE, status, 0)
    logger.info({ requestId, route: INVALID_ROUTE, status }, 'answered')
    if (journal?.isListening === true)
      journal.add({ ...NO_REQUEST, id: requestId, address, status, errorCode: status, message })
  }

  return (error: NodeJS.ErrnoException, socket: Socket): void => {
    const { code = '' } = error
    // A connection that broke, or on which nothing was ever sent.
    if (!(code.startsWith('HPE_') || code in REFUSALS) || !socket.writable || socket.bytesRead === 0)
      return void socket.destroy()
    const refusal = REFUSALS[code] ?? BAD_REQUEST
    connections.refuse(socket, unfinished => {
      if (unfinished === undefined) answer(socket, refusal)
      // A handler that reads the body answers its error like any other. Before that, no handler can be notified.
      else if (!unfinished.listenerCount('error')) socket.destroy()
      else unfinished.emit('error', Object.assign(new Error(refusal.reason), { statusCode: refusal.status }))
    })
  }
}

/** Nothing is known of a request that cannot be read. */
const NO_REQUEST: Omit<RecordedRequest, 'id' | 'address' | 'status' | 'errorCode' | 'message'> = {
  ms: 0,
  method: '',
  url: '',
  route: INVALID_ROUTE,
  body: undefined,
  host: undefined,
  userAgent: undefined,
  secretHeaders: undefined,
  customer: undefined,
  environment: undefined,
  drm: undefined,
  ignored: undefined,
  assumed: undefined,
  parameter: undefined,
  fault: undefined,
  size: OBJECT_BYTES,
  number: 0,
  time: 0,
}

function withinLimit(addresses: AddressLimit | undefined, { remoteAddress }: Socket): HttpRefusal | undefined {
  if (addresses?.isOn !== true || remoteAddress === undefined) return undefined
  try {
    addresses.admit(remoteAddress, () => {})
    return undefined
  } catch (error) {
    if (!(error instanceof PublicError)) throw error
    const { status, message, retryAfter } = error
    return { status, reason: 'Too Many Requests', message, retryAfter }
  }
}
