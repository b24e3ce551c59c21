import * as z from 'zod'
import { StatusError } from '../src/errors/public-error.js'

export const IDEMPOTENCY_KEY = 'Idempotency-Key'
export const IDEMPOTENCY_REPLAYED = 'idempotency-replayed'

/** Bare as most clients send it, or the string that the IETF's draft asks for: both are the same key. */
const BARE = /^[!#-~][!-~]{0,199}$/
const QUOTED = /^"(?:[!#-[\]-~]|\\["\\]){1,200}"$/

export const idempotencyKey = z.union([
  z.string().regex(BARE),
  z
    .string()
    .regex(QUOTED)
    .transform(text => text.slice(1, -1).replace(/\\(.)/g, '$1')),
])

export function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  const read = idempotencyKey.safeParse(header)
  if (read.success) return read.data
  throw new StatusError(400, 'An Idempotency-Key is 1 to 200 visible ASCII characters, given once', IDEMPOTENCY_KEY)
}
