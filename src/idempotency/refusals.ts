import { IDEMPOTENCY_KEY } from '../../schemas/idempotency.js'
import { PublicError, TokenError, UNAVAILABLE } from '../errors/public-error.js'
import type { UnknownOutcome } from './outcome.js'

/** Nothing was issued and nothing was asked, so the transaction log does not tell of these. */
function refusal(status: 409 | 422, message: string, retryAfter?: number): PublicError {
  return new PublicError(message, { code: status, status, parameter: IDEMPOTENCY_KEY, retryAfter, isRecorded: true })
}

export function otherRequest(): PublicError {
  return refusal(422, 'This Idempotency-Key was used with another request')
}

export function stillUnderWay(): PublicError {
  return refusal(409, 'A request with this Idempotency-Key is still under way', 1)
}

export function sealedElsewhere(): PublicError {
  return refusal(409, 'The answer to this Idempotency-Key was sealed with TOKEN_KEYS that this instance does not have')
}

export function unknownOutcome({ unknown: status }: UnknownOutcome): PublicError {
  const details =
    'it is unknown whether the request with this Idempotency-Key issued a token, and it is never made again; use a new key'
  return new TokenError({ code: UNAVAILABLE, parameter: IDEMPOTENCY_KEY, details }, { status, mayHaveIssued: true })
}
