/**
 * How asking the real service can fail. `mayHaveArrived`: a token may have been issued and paid for, so the request
 * must never be sent again, and the log says that its outcome is unknown.
 */
const failures = {
  'not reached': { status: 502, mayHaveArrived: false, details: 'the upstream cannot be reached' },
  'not reached in time': { status: 504, mayHaveArrived: false, details: 'the upstream was not reached in time' },
  'circuit open': { status: 503, mayHaveArrived: false, details: 'the upstream fails, and is left alone for a while' },
  'queue full': { status: 503, mayHaveArrived: false, details: 'too many requests wait for the upstream' },
  'not accepted': {
    status: 502,
    mayHaveArrived: false,
    details: 'the upstream refused with something that is no answer',
  },
  'too many requests': { status: 429, mayHaveArrived: false, details: 'the upstream asks for fewer requests' },
  'connection lost': { status: 502, mayHaveArrived: true, details: 'the connection to the upstream was lost' },
  'timed out': { status: 504, mayHaveArrived: true, details: 'the upstream did not answer in time' },
  'too large': { status: 502, mayHaveArrived: true, details: 'the answer of the upstream is too large' },
  'no answer': { status: 502, mayHaveArrived: true, details: 'the upstream answered with something that is no answer' },
} as const

export type FailureKind = keyof typeof failures
export const failureKinds = Object.keys(failures) as readonly FailureKind[] // the table's own keys

export class UpstreamFailure extends Error {
  readonly status: 429 | 502 | 503 | 504
  readonly mayHaveArrived: boolean
  /** What the caller is told. */
  readonly details: string
  /** What the operator is told beyond the kind: ECONNREFUSED, CERT_HAS_EXPIRED. Never a text, which could quote a secret. */
  readonly reason: string | undefined
  /** Seconds after which it may be worth to ask again. */
  readonly retryAfter: number | undefined

  constructor(
    readonly kind: FailureKind,
    { reason, retryAfter }: { readonly reason?: string | undefined; readonly retryAfter?: number | undefined } = {},
  ) {
    super(kind)
    this.name = 'UpstreamFailure'
    const { status, mayHaveArrived, details } = failures[kind]
    this.status = status
    this.mayHaveArrived = mayHaveArrived
    this.details = mayHaveArrived ? `${details}, and it is unknown whether it issued a token` : details
    this.reason = reason
    this.retryAfter = retryAfter
  }
}

/** Of who waited for a turn, or would have had to. */
export function noTurn(): UpstreamFailure {
  return new UpstreamFailure('queue full', { retryAfter: 1 })
}

/** Of who would have to wait for so many milliseconds, or has. */
export function tooBusy(milliseconds: number): UpstreamFailure {
  return new UpstreamFailure('queue full', { retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)) })
}
