import { errors } from 'undici'

/** How asking another service can fail, and whether the service may have acted on the request all the same. */
const mayHaveArrived = {
  'not reached': false,
  'not reached in time': false,
  'queue full': false,
  'circuit open': false,
  /** The service says that it did nothing. */
  'not accepted': false,
  'too many requests': false,
  'connection lost': true,
  'timed out': true,
  'too large': true,
  'no answer': true,
  /** Whoever waited for the answer has left, or does not read it. */
  'caller gone': true,
  'not read': true,
} as const

export type FailureKind = keyof typeof mayHaveArrived
export const failureKinds = Object.keys(mayHaveArrived) as readonly FailureKind[] // the table's own keys

/** Why a service gave no answer. It is a value until somebody has to be refused. */
export class RequestFailure extends Error {
  readonly mayHaveArrived: boolean
  /** For the log: ECONNREFUSED, CERT_HAS_EXPIRED, HTTP_500. Never a text, which could quote a secret. */
  readonly reason: string | undefined
  /** Seconds after which it may be worth asking again. */
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

/** What an error of undici, TLS or the system means. `wasSent`: undici had begun to write the request. */
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

/** A service said `100 Continue` although nobody asked for it: undici ends the connection, and says nothing but this. */
function isUnaskedContinue(error: Error): boolean {
  return error instanceof errors.SocketError && error.message === 'bad response'
}

function errorCode({ code, name }: NodeJS.ErrnoException): string {
  // Codes of OpenSSL 3.5 may have a slash: `ERR_SSL_SSL/TLS_ALERT_…`.
  return code !== undefined && /^[\w/]{1,64}$/.test(code) ? code : name
}

/** Whether a certificate was refused: ours where it is an alert of the service, else the service's. */
export function isAboutCertificate({ kind, reason = '' }: RequestFailure): boolean {
  if (kind !== 'not reached') return false
  return /CERT|CRL|^UNABLE_TO_|^HOSTNAME_|^(?:INVALID_CA|PATH_LENGTH_EXCEEDED|INVALID_PURPOSE)$/.test(reason)
}

const LONGEST_WAIT = 86_400

/** The seconds of a Retry-After. Callers are told no date, nothing that is not a number, and nothing beyond a day. */
export function secondsOf(retryAfter: unknown): number | undefined {
  if (typeof retryAfter !== 'string' || !/^\d{1,5}$/.test(retryAfter)) return undefined
  const seconds = Number(retryAfter)
  return seconds <= LONGEST_WAIT ? seconds : undefined
}
