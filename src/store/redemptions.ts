import type { Kysely, Transaction } from 'kysely'
import type { EventRow, RedemptionRow, Tables } from './tables.js'

/** Instances may disagree about the time: a count stays for longer than its token, by more than any clock is wrong. */
const KEPT_AFTER_EXPIRY_MS = 86_400_000

/** Redemptions of tokens that may be redeemed a limited number of times. */
export class RedemptionRepository {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /**
   * Counts a redemption and appends its event, both or neither, in one durable transaction; `false`, and nothing is
   * changed, when the token was redeemed `most` times already. The token's row is locked before the service's, and
   * whoever else locks the latter waits for nothing, so nobody waits in a circle.
   */
  async redeem(event: Omit<EventRow, 'event_id'>, { most, expiresAt }: RedemptionLimit): Promise<boolean> {
    const { service_id, token_id } = event
    if (token_id === null) throw new Error('a redemption without a token')
    return this.#db.transaction().execute(async db => {
      const isCounted = await countUp(db, { service_id, token_id, count: 1, expires_at: expiresAt }, most)
      if (isCounted) await append(db, event)
      return isCounted
    })
  }

  /** Forgets at most `most` tokens that have expired, and answers how many there were. */
  async removeExpired(now: number, most: number): Promise<number> {
    const expired = await this.#db
      .selectFrom('redemptions')
      .select(['service_id', 'token_id'])
      .where('expires_at', '<=', now - KEPT_AFTER_EXPIRY_MS)
      .limit(most)
      .execute()
    for (const { service_id, token_id } of expired)
      await this.#db
        .deleteFrom('redemptions')
        .where('service_id', '=', service_id)
        .where('token_id', '=', token_id)
        .execute()
    return expired.length
  }
}

export interface RedemptionLimit {
  readonly most: number
  /** When the token expires. */
  readonly expiresAt: number
}

async function countUp(db: Transaction<Tables>, first: RedemptionRow, most: number): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('redemptions')
    .values(first)
    .onConflict(conflict =>
      conflict
        .columns(['service_id', 'token_id'])
        .doUpdateSet(({ eb }) => ({ count: eb('redemptions.count', '+', 1) }))
        .where('redemptions.count', '<', most),
    )
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

async function append(db: Transaction<Tables>, event: Omit<EventRow, 'event_id'>): Promise<void> {
  const { last_event } = await db
    .updateTable('services')
    .set(({ eb }) => ({ last_event: eb('last_event', '+', 1) }))
    .where('id', '=', event.service_id)
    .returning('last_event')
    .executeTakeFirstOrThrow()
  await db
    .insertInto('events')
    .values({ ...event, event_id: last_event })
    .execute()
}
