import { errors } from 'undici'
import { errorWord, isUnaskedContinue } from '../connections/error-word.js'

/** How asking a licence server can fail. None of it is ever sent again: players repeat by themselves. */
const failures = {
  'not reached': { status: 502, details: 'the licence server cannot be reached' },
  'not reached in time': { status: 504, details: 'the licence server was not reached in time' },
  'timed out': { status: 504, details: 'the licence server did not answer in time' },
  'connection lost': { status: 502, details: 'the connection to the licence server was lost' },
  'no answer': { status: 502, details: 'the licence server answered with something that is no answer' },
  'queue full': { status: 503, details: 'too many key requests wait for the licence server' },
  'not read': { status: 502, details: 'the player does not read its licence' },
  'caller gone': { status: 502, details: 'nobody waits for the licence any more' },
} as const

export class LicenceFailure extends Error {
  readonly status: 502 | 503 | 504
  /** What the player is told. */
  readonly details: string
  /** Seconds after which it may be worth to ask again. */
  readonly retryAfter: number | undefined

  constructor(
    readonly kind: keyof typeof failures,
    /** What the operator is told beyond the kind: ECONNREFUSED. Never a text, which could quote a token. */
    readonly reason?: string,
  ) {
    super(kind)
    this.name = 'LicenceFailure'
    const { status, details } = failures[kind]
    this.status = status
    this.details = details
    this.retryAfter = kind === 'queue full' ? 1 : undefined
  }
}

/** What befell the connection. */
export function licenceFailure(error: unknown): LicenceFailure {
  if (error instanceof LicenceFailure) return error
  if (isUnaskedContinue(error)) return new LicenceFailure('no answer', 'HTTP_100')
  const reason = errorWord(error)
  if (error instanceof errors.HTTPParserError || NO_ANSWER.test(reason)) return new LicenceFailure('no answer', reason)
  if (reason === 'UND_ERR_CONNECT_TIMEOUT' || reason === 'ETIMEDOUT')
    return new LicenceFailure('not reached in time', reason)
  if (reason === 'ERR_STREAM_PREMATURE_CLOSE') return new LicenceFailure('caller gone')
  if (reason === 'UND_ERR_BODY_TIMEOUT') return new LicenceFailure('timed out', reason)
  if (/^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)$/.test(reason))
    return new LicenceFailure('connection lost', reason)
  return new LicenceFailure('not reached', reason)
}

/** Not HTTP, or more of it than an answer has. */
const NO_ANSWER = /^HPE_|^UND_ERR_HEADERS_OVERFLOW$/
