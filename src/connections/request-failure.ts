import { errors } from 'undici'

/** How a request can fail, and whether the service may have acted on it nevertheless. */
const mayHaveArrived = {
  'not reached': false,
  'not reached in time': false,
  'queue full': false,
  'circuit open': false,
  /** The service reports that it did nothing. */
  'not accepted': false,
  'too many requests': false,
  'connection lost': true,
  'timed out': true,
  'too large': true,
  'no answer': true,
  /** The caller has left, or does not read the answer. */
  'caller gone': true,
  'not read': true,
} as const

export type FailureKind = keyof typeof mayHaveArrived
export const failureKinds = Object.keys(mayHaveArrived) as readonly FailureKind[] // the table's own keys

/** Why a service gave no answer. Functions return it as a value; only the refusal of a caller throws. */
export class RequestFailure extends Error {
  readonly mayHaveArrived: boolean
  /** A code for the log: ECONNREFUSED, CERT_HAS_EXPIRED, HTTP_500. Never a message, which could quote a secret. */
  readonly reason: string | undefined
  /** Seconds after which a retry may succeed. */
  readonly retryAfter: number | undefined

  constructor(
    readonly kind: FailureKind,
    { reason, retryAfter }: { readonly reason?: string | undefined; readonly retryAfter?: number | undefined } = {},
  ) {
    super(kind)
    this.name = 'RequestFailure'
    this.mayHaveArrived = mayHaveArrived[kind]
    this.reason = reason
    this.retryAfter = retryAfter
  }
}

/** Maps an error of undici, TLS or the system. `wasSent`: undici had begun to write the request. */
export function connectionFailure(error: Error, wasSent: boolean): RequestFailure {
  if (isUnaskedContinue(error)) return new RequestFailure('no answer', { reason: 'HTTP_100' })
  const reason = errorCode(error)
  return new RequestFailure(wasSent ? kindAfterSending(error, reason) : kindBeforeSending(reason), { reason })
}

function kindBeforeSending(reason: string): FailureKind {
  return reason === 'UND_ERR_CONNECT_TIMEOUT' || reason === 'ETIMEDOUT' ? 'not reached in time' : 'not reached'
}

function kindAfterSending(error: Error, reason: string): FailureKind {
  if (reason === 'UND_ERR_RES_EXCEEDED_MAX_SIZE' || reason === 'UND_ERR_HEADERS_OVERFLOW') return 'too large'
  if (reason === 'UND_ERR_BODY_TIMEOUT') return 'timed out'
  return error instanceof errors.HTTPParserError ? 'no answer' : 'connection lost'
}

/** The service sent an unrequested `100 Continue`: undici ends the connection and reports only this message. */
function isUnaskedContinue(error: Error): boolean {
  return error instanceof errors.SocketError && error.message === 'bad response'
}

function errorCode({ code, name }: NodeJS.ErrnoException): string {
  // Codes of OpenSSL 3.5 may have a slash: `ERR_SSL_SSL/TLS_ALERT_…`.
  return code !== undefined && /^[\w/]{1,64}$/.test(code) ? code : name
}

/** Whether a certificate was refused: ours if the service sent an alert, else the service's. */
export function isAboutCertificate({ kind, reason = '' }: RequestFailure): boolean {
  if (kind !== 'not reached') return false
  return /CERT|CRL|^UNABLE_TO_|^HOSTNAME_|^(?:INVALID_CA|PATH_LENGTH_EXCEEDED|INVALID_PURPOSE)$/.test(reason)
}

const MAX_RETRY_AFTER = 86_400

/** The seconds of a Retry-After. Dates, invalid numbers and more than a day are ignored. */
export function secondsOf(retryAfter: unknown): number | undefined {
  if (typeof retryAfter !== 'string' || !/^\d{1,5}$/.test(retryAfter)) return undefined
  const seconds = Number(retryAfter)
  return seconds <= MAX_RETRY_AFTER ? seconds : undefined
}
