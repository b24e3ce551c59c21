import type { Kysely } from 'kysely'
import type { Tables } from './tables.js'

/** Instances may disagree about the time: a count stays for longer than its token, by more than any clock is wrong. */
const KEPT_AFTER_EXPIRY_MS = 86_400_000

/** How often tokens were redeemed that may be a limited number of times. They are counted in groups of events. */
export class RedemptionRepository {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
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
