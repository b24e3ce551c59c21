import type { MaybePromise } from '../ground/maybe-promise.js'
import { documentedError, type ErrorCode, type Fault } from './error-catalogue.js'

/** An error whose code, status and text are public. */
export class PublicError extends Error {
  readonly code: number
  readonly status: number
  readonly parameter: string | undefined
  /** Seconds after which it may be worth to ask again. */
  readonly retryAfter: number | undefined
  /** The ledger has recorded it already. */
  readonly isRecorded: boolean
  /** It is unknown whether a token was issued and paid for, so the request must not be retried. */
  readonly mayHaveIssued: boolean
  /** An emulator was told to refuse so. */
  readonly isInjected: boolean

  constructor(message: string, { code, status, parameter, retryAfter, cause, ...what }: PublicErrorParts) {
    super(message, { cause })
    this.name = new.target.name
    this.code = code
    this.status = status
    this.parameter = parameter
    this.retryAfter = retryAfter
    this.isRecorded = what.isRecorded ?? false
    this.mayHaveIssued = what.mayHaveIssued ?? false
    this.isInjected = what.isInjected ?? false
  }
}

/** What is public of an error. */
export interface Refusal {
  readonly status: number
  /** A documented code, or the status where HTTP itself refuses. */
  readonly code: number
  readonly message: string
  readonly parameter?: string | undefined
  /** Seconds after which it may be worth to ask again. */
  readonly retryAfter?: number | undefined
}

export interface PublicErrorParts {
  readonly code: number
  readonly status: number
  readonly parameter?: string | undefined
  readonly retryAfter?: number | undefined
  readonly isRecorded?: boolean
  readonly mayHaveIssued?: boolean
  readonly isInjected?: boolean
  /** For the log alone. */
  readonly cause?: unknown
}

/** Carries one documented error from the place that found it to the one that answers. */
export class TokenError extends PublicError {
  declare readonly code: ErrorCode

  /** `status` where it is not the catalogue's. */
  constructor(fault: Fault, { status, ...parts }: Partial<Omit<PublicErrorParts, 'code' | 'parameter'>> = {}) {
    const documented = documentedError(fault.code)
    super(messageOf(fault.text ?? documented.message, fault.details), {
      ...parts,
      code: fault.code,
      status: status ?? documented.status,
      parameter: fault.parameter,
    })
  }
}

function messageOf(documented: string, details: string | undefined): string {
  if (/<.+>$/.test(documented)) return documented.replace(/<.+>$/, () => details ?? 'no details')
  return details === undefined ? documented : `${documented}: ${details}`
}

/**
 * A refusal without a documented code: its code is the HTTP status, such as 404 for what is not there and 409 for
 * what is taken. The text names fields and rules, and repeats no value.
 */
export class StatusError extends PublicError {
  constructor(status: number, message: string, parameter?: string) {
    super(message, { code: status, status, parameter })
  }
}

export const UNAVAILABLE = -2030

/** A failing store is answered with the documented code. */
export function orUnavailable<T>(work: MaybePromise<T>, { mayHaveIssued = false } = {}): MaybePromise<T> {
  if (!(work instanceof Promise)) return work
  return work.catch(cause => {
    const details = 'the account store or the ledger is unavailable'
    throw new TokenError({ code: UNAVAILABLE, details }, { cause, mayHaveIssued })
  })
}

/** Where an error came from, without its text, which may quote what it failed on. */
export function framesOf({ stack = '' }: Error): string[] {
  return stack
    .split('\n')
    .filter(line => /^\s+at /.test(line))
    .map(line => line.trim())
}
