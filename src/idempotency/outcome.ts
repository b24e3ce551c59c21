import { z } from 'zod'
import type { IdempotencyRow } from '../store/tables.js'
import type { TextSeal } from '../tokens/text-seal.js'

const issued = z.object({ token: z.string(), licenseAcquisitionUrl: z.string() })
const unknown = z.object({ unknown: z.literal([500, 502, 503, 504]) })
const outcome = z.union([issued, unknown])

/** What came of the request that took a key: a token, or nobody knows, and the status that said so. */
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

/** A token belongs to one key and one request, whoever can write to the database. */
function placeOf({ service_id, key_hash, request_hash }: Place): string {
  return `idempotency ${service_id} ${key_hash} ${request_hash}`
}
