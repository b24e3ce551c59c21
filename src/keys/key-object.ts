import { createHash } from 'node:crypto'
import type { KeyObject } from '../../schemas/keystore.js'
import type { KeyRow } from '../store/tables.js'

/** A stored key as it is answered: with the key in clear, the wrapped key, or both. */
export function keyObject(row: KeyRow, { k, ek }: { k?: Buffer | undefined; ek?: string | undefined }): KeyObject {
  return {
    kid: row.kid,
    k: k?.toString('hex'),
    ek,
    kekId: row.kek_id ?? undefined,
    info: row.info ?? undefined,
    contentId: row.content_id ?? undefined,
    expiration: row.expiration === null ? undefined : isoMoment(row.expiration),
    lastUpdate: isoMoment(Math.floor(row.last_update / 1000) * 1000),
  }
}

/** The name of a KEK that was given none (spec: keystore.md). */
export function kekIdOf(kek: Buffer): string {
  return `#1.${createHash('sha1')
    .update(`KEKID_1${kek.toString('hex')}`)
    .digest('hex')
    .slice(0, 32)}`
}

/** A fraction of a second only where there is one, as in the published samples. */
function isoMoment(moment: number): string {
  return new Date(moment).toISOString().replace('.000Z', 'Z')
}
