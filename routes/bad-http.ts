import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { refusedEntitlement } from './answers.js'
import { errorPage } from './error-page.js'

const REFUSALS: Readonly<Record<string, readonly [status: number, reason: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
}

/**
 * Answers bytes that are no HTTP request: there is no request to read an error format from, so in HTML where the
 * application does not have one for all.
 */
export function refuseBadHttp(
  newRequestId: (request: Pick<IncomingMessage, 'headers'>) => string,
  errorFormat?: 'entitlement',
) {
  return (error: { code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const [status, reason] = REFUSALS[error.code ?? ''] ?? [400, 'Bad Request']
    const requestId = newRequestId({ headers: {} })
    const [type, text] =
      errorFormat === 'entitlement'
        ? ['application/json', JSON.stringify(refusedEntitlement(undefined, { code: status, message: reason }))]
        : ['text/html; charset=utf-8', errorPage({ code: status, message: reason, requestId })]
    const head = [
      `HTTP/1.1 ${status} ${reason}`,
      `content-type: ${type}`,
      `content-length: ${Buffer.byteLength(text)}`,
      'cache-control: no-store',
      `x-request-id: ${requestId}`,
      'connection: close',
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n${text}`)
    // Nothing that still comes can be understood, and a peer that does not hang up must not hold the socket.
    socket.destroy()
  }
}
