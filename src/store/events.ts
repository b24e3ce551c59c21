import type { Kysely } from 'kysely'
import type { Engine, Entry } from './engine.js'
import type { EventRow, Tables } from './tables.js'

/** The log of each service, whose events count up from 1 without a gap; retention takes away the oldest. */
export class EventRepository {
  readonly #db: Kysely<Tables>
  readonly #engine: Engine

  constructor(db: Kysely<Tables>, engine: Engine) {
    this.#db = db
    this.#engine = engine
  }

  /** Appends a group in one durable transaction, and answers the places of those that no balance covered. */
  commit(entries: readonly Entry[]): Promise<readonly number[]> {
    return this.#engine.commit(entries)
  }

  async newest(service: number, limit: number): Promise<EventRow[]> {
    return this.#of(service).orderBy('event_id', 'desc').limit(limit).execute()
  }

  async newestWithCookie(service: number, cookie: string, limit: number): Promise<EventRow[]> {
    return this.#of(service).where('cookie', '=', cookie).orderBy('event_id', 'desc').limit(limit).execute()
  }

  async withId(service: number, eventId: number): Promise<EventRow[]> {
    return this.#of(service).where('event_id', '=', eventId).execute()
  }

  /** By 0-based index, the oldest event that is still there being the first. */
  async window(service: number, start: number, length: number): Promise<EventRow[]> {
    const oldest = await this.#oldestId(service)
    if (oldest === undefined) return []
    return this.#of(service)
      .where('event_id', '>=', oldest + start)
      .orderBy('event_id')
      .limit(length)
      .execute()
  }

  /** In the order of time, `from` and `to` among them; `after` is the last event of the page before. */
  async between(service: number, { from, to, after }: TimeRange, limit: number): Promise<EventRow[]> {
    const last = after === undefined ? undefined : await this.#momentOf(service, after)
    return this.#of(service)
      .where('time', '>=', from)
      .where('time', '<=', to)
      .$if(last !== undefined, query =>
        query.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('time', 'event_id'), '>', tuple(last?.time ?? 0, last?.event_id ?? 0)),
        ),
      )
      .orderBy('time')
      .orderBy('event_id')
      .limit(limit)
      .execute()
  }

  /**
   * Takes away events older than `moment`, of each service at most `most`, and never one that is younger events'
   * predecessor without them all being old. Answers how many went.
   */
  async removeOldest(moment: number, most: number): Promise<number> {
    let removed = 0
    for (const { id } of await this.#db.selectFrom('services').select('id').execute()) {
      const oldest = await this.#of(id).select(['event_id', 'time']).orderBy('event_id').limit(most).execute()
      const young = oldest.findIndex(({ time }) => time >= moment)
      const last = oldest.at(young === -1 ? -1 : young - 1)
      if (last === undefined || young === 0) continue
      await this.#db.deleteFrom('events').where('service_id', '=', id).where('event_id', '<=', last.event_id).execute()
      removed += young === -1 ? oldest.length : young
    }
    return removed
  }

  #of(service: number) {
    return this.#db.selectFrom('events').selectAll().where('service_id', '=', service)
  }

  async #oldestId(service: number): Promise<number | undefined> {
    const [oldest] = await this.#of(service).orderBy('event_id').limit(1).execute()
    return oldest?.event_id
  }

  /** An event that is gone was older than all that are there. */
  async #momentOf(service: number, eventId: number): Promise<Pick<EventRow, 'time' | 'event_id'> | undefined> {
    const [found] = await this.withId(service, eventId)
    return found
  }
}

export interface TimeRange {
  readonly from: number
  readonly to: number
  readonly after?: number | undefined
}
