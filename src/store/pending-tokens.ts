import type { Kysely } from 'kysely'
import type { Engine } from './engine.js'
import type { PendingTokenRow, Tables } from './tables.js'

/** Tokens that were paid for and are not in the log yet. They come and go in groups of events. */
export class PendingTokenRepository {
  /** Nobody else has any pending. */
  readonly isExclusive: boolean
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>, { isExclusive }: Engine) {
    this.#db = db
    this.isExclusive = isExclusive
  }

  /** Those that were asked for before `moment`, the oldest first. */
  askedBefore(moment: number, most: number): Promise<PendingTokenRow[]> {
    const asked = this.#db.selectFrom('pending_tokens').selectAll().where('time', '<', moment)
    return asked.orderBy('time').limit(most).execute()
  }
}
