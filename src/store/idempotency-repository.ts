import type { Kysely } from 'kysely'
import { type ChosenServices, isOf } from './chosen-services.js'
import type { Engine } from './engine.js'
import type { IdempotencyRow, Tables } from './tables.js'

/** Claimed keys and the outcomes of their requests. Expired keys count as absent. */
export class IdempotencyRepository {
  /** No other process claims keys: a key that this process did not claim belongs to a dead one. */
  readonly isExclusive: boolean
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>, { isExclusive }: Engine) {
    this.#db = db
    this.isExclusive = isExclusive
  }

  /** Claims a free key, durably. Of all instances that try, one succeeds. */
  async claim(claim: KeyClaim, now: number): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.#db
      .insertInto('idempotency_keys')
      .values({ ...claim, claimed_at: now, outcome: null })
      .onConflict(conflict =>
        conflict
          .columns(['service_id', 'key_hash'])
          .doUpdateSet(({ ref }) => ({
            request_hash: ref('excluded.request_hash'),
            claim: ref('excluded.claim'),
            claimed_at: ref('excluded.claimed_at'),
            outcome: ref('excluded.outcome'),
            expires_at: ref('excluded.expires_at'),
          }))
          .where('idempotency_keys.expires_at', '<=', now),
      )
      .executeTakeFirst()
    return numInsertedOrUpdatedRows === 1n
  }

  async find({ service_id, key_hash }: TakenKey, now: number): Promise<IdempotencyRow | undefined> {
    return this.#db
      .selectFrom('idempotency_keys')
      .selectAll()
      .where('service_id', '=', service_id)
      .where('key_hash', '=', key_hash)
      .where('expires_at', '>', now)
      .executeTakeFirst()
  }

  /** Stores the outcome. Only the request that claimed the key can. */
  async complete({ service_id, key_hash, claim }: KeyClaim, outcome: string, expiresAt: number): Promise<void> {
    await this.#db
      .updateTable('idempotency_keys')
      .set({ outcome, expires_at: expiresAt })
      .where('service_id', '=', service_id)
      .where('key_hash', '=', key_hash)
      .where('claim', '=', claim)
      .execute()
  }

  /** As if the key had never been taken. */
  async release({ service_id, key_hash, claim }: KeyClaim): Promise<void> {
    await this.#db
      .deleteFrom('idempotency_keys')
      .where('service_id', '=', service_id)
      .where('key_hash', '=', key_hash)
      .where('claim', '=', claim)
      .execute()
  }

  /** Deletes at most `most` expired keys, and returns how many. */
  async removeExpired(services: ChosenServices, now: number, most: number): Promise<number> {
    const expired = await this.#db
      .selectFrom('idempotency_keys')
      .select(['service_id', 'key_hash'])
      .where('expires_at', '<=', now)
      .where(isOf(services))
      .limit(most)
      .execute()
    for (const { service_id, key_hash } of expired)
      await this.#db
        .deleteFrom('idempotency_keys')
        .where('service_id', '=', service_id)
        .where('key_hash', '=', key_hash)
        // Another request may have claimed it in the meantime.
        .where('expires_at', '<=', now)
        .execute()
    return expired.length
  }
}

export type TakenKey = Pick<IdempotencyRow, 'service_id' | 'key_hash'>
/** What is known when a key is claimed. */
export type KeyClaim = Omit<IdempotencyRow, 'claimed_at' | 'outcome'>
