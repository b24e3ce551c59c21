import type { Kysely } from 'kysely'
import { type ChosenServices, isOf } from './chosen-services.js'
import type { CountedRedemption, Engine } from './engine.js'
import type { PendingTokenRow, Tables } from './tables.js'

/** Tokens that were paid for and are not in the log yet. Groups of events add and remove them. */
export class PendingTokenRepository {
  /** No other process can have pending tokens. */
  readonly isExclusive: boolean
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>, { isExclusive }: Engine) {
    this.#db = db
    this.isExclusive = isExclusive
  }

  /** Tokens that were requested before `moment`, the oldest first. */
  askedBefore(services: ChosenServices, moment: number, most: number): Promise<PendingTokenRow[]> {
    const asked = this.#db.selectFrom('pending_tokens').selectAll().where('time', '<', moment).where(isOf(services))
    return asked.orderBy('time').limit(most).execute()
  }
}

export interface ForeseenRedemption extends Pick<CountedRedemption, 'most' | 'pays'> {
  readonly service: number
  readonly tokenId: string
}

/** Clocks of instances differ: a count outlives its token by more than any clock is wrong. */
const KEPT_AFTER_EXPIRY_MS = 86_400_000

/** How often tokens with a redemption limit were redeemed. Groups of events count them. */
export class RedemptionRepository {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** Why a redemption would not be written now, in the order in which a group looks at it; `undefined` if it would be. */
  async foresee({
    service,
    tokenId,
    most,
    pays,
  }: ForeseenRedemption): Promise<'balance used up' | 'redeemed too often' | undefined> {
    const counted = await this.#db
      .selectFrom('redemptions')
      .select('count')
      .where('service_id', '=', service)
      .where('token_id', '=', tokenId)
      .executeTakeFirst()
    const { balance = 0 } =
      (await this.#db.selectFrom('services').select('balance').where('id', '=', service).executeTakeFirst()) ?? {}
    if (pays && counted === undefined && balance < 1) return 'balance used up'
    return (counted?.count ?? 0) >= most ? 'redeemed too often' : undefined
  }

  /** Deletes at most `most` expired tokens, and returns how many. */
  async removeExpired(services: ChosenServices, now: number, most: number): Promise<number> {
    const expired = await this.#db
      .selectFrom('redemptions')
      .select(['service_id', 'token_id'])
      .where('expires_at', '<=', now - KEPT_AFTER_EXPIRY_MS)
      .where(isOf(services))
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
