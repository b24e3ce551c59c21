import * as z from 'zod'
import { IDEMPOTENCY_KEY } from '../../schemas/idempotency.js'
import { PublicError, TokenError, UNAVAILABLE } from '../errors/public-error.js'
import type { IdempotencyRow } from '../store/tables.js'
import type { TextSeal } from '../tokens/text-seal.js'

const issued = z.object({ token: z.string(), licenseAcquisitionUrl: z.string() })
const unknown = z.object({ unknown: z.literal([500, 502, 503, 504]) })
const outcome = z.union([issued, unknown])

/** The outcome of the request that claimed a key: a token, or the status of an unknown outcome. */
export type Outcome = z.output<typeof outcome>
export type UnknownOutcome = z.output<typeof unknown>

type Place = Pick<IdempotencyRow, 'service_id' | 'key_hash' | 'request_hash'>

export function sealOutcome(seal: TextSeal, place: Place, outcome: Outcome): string {
  return seal.seal(placeOf(place), JSON.stringify(outcome))
}

/** `undefined` where it was sealed with keys that this instance does not have. */
export function openOutcome(seal: TextSeal, place: Place, sealed: string): Outcome | undefined {
  const text = seal.open(placeOf(place), sealed)
  return text === undefined ? undefined : outcome.parse(JSON.parse(text))
}

/** Binds a token to one key and one request, even against changes in the database. */
function placeOf({ service_id, key_hash, request_hash }: Place): string {
  return `idempotency ${service_id} ${key_hash} ${request_hash}`
}

/** Nothing was issued, so these are not in the transaction log. */
function refusal(status: 409 | 422, message: string, retryAfter?: number): PublicError {
  return new PublicError(message, { code: status, status, parameter: IDEMPOTENCY_KEY, retryAfter, isRecorded: true })
}

export function otherRequest(): PublicError {
  return refusal(422, 'This Idempotency-Key was used with another request')
}

export function stillInFlight(): PublicError {
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
