import { type Kysely, sql } from 'kysely'
import { type ChosenServices, isOf } from './chosen-services.js'
import { type Engine, type Entry, startOfDay, type Uncovered } from './engine.js'
import type { EventRow, Tables } from './tables.js'

/** The log of each service, whose events count up from 1 without a gap; retention takes away the oldest. */
export class EventRepository {
  readonly #db: Kysely<Tables>
  readonly #engine: Engine
  #lastFailed = false

  constructor(db: Kysely<Tables>, engine: Engine) {
    this.#db = db
    this.#engine = engine
  }

  /** Commits a group in one durable transaction. Returns the entries that were not written as given. */
  async commit(entries: readonly Entry[], alone = false): Promise<readonly Uncovered[]> {
    try {
      const uncovered = await this.#engine.commit(entries, alone)
      this.#lastFailed = false
      return uncovered
    } catch (error) {
      this.#lastFailed = true
      throw error
    }
  }

  /** Whether the newest group could not be written. */
  get lastFailed(): boolean {
    return this.#lastFailed
  }

  /** When the newest event was written, by the clock of the instance that did it. */
  async newestTime(): Promise<number | undefined> {
    const { time } = await this.#db
      .selectFrom('services')
      .innerJoin('events', join =>
        join.onRef('events.service_id', '=', 'services.id').onRef('events.event_id', '=', 'services.last_event'),
      )
      .select(({ fn }) => fn.max<number | null>('events.time').as('time'))
      .executeTakeFirstOrThrow()
    return time ?? undefined
  }

  /** `before`: only events with a smaller number. */
  async newest(service: number, limit: number, before?: number): Promise<EventRow[]> {
    const newest = this.#of(service).orderBy('event_id', 'desc').limit(limit)
    return (before === undefined ? newest : newest.where('event_id', '<', before)).execute()
  }

  /** The events of these requests among the newest of a service, the newest first. */
  async ofRequests(service: number, requestIds: readonly string[], among: number): Promise<EventRow[]> {
    return this.#of(service)
      .where('event_id', '>', query =>
        query
          .selectFrom('services')
          .select(({ eb }) => eb('last_event', '-', among).as('first'))
          .where('id', '=', service),
      )
      .where('request_id', 'in', requestIds)
      .orderBy('event_id', 'desc')
      .execute()
  }

  /** Selects the event numbers first, from the index of cookies: selecting rows, SQLite would scan the whole log. */
  async newestWithCookie(service: number, cookie: string, limit: number): Promise<EventRow[]> {
    const numbers = this.#db
      .selectFrom('events')
      .select('event_id')
      .where('service_id', '=', service)
      .where('cookie', '=', cookie)
      .orderBy('event_id', 'desc')
      .limit(limit)
    return this.#of(service).where('event_id', 'in', numbers).orderBy('event_id', 'desc').execute()
  }

  /** The device of the newest redemption with this cookie; redemptions without a device id do not count. */
  async newestDevice(service: number, cookie: string): Promise<string | undefined> {
    const [newest] = await this.#redemptions(service, cookie)
      .select('device_id')
      .orderBy('event_id', 'desc')
      .limit(1)
      .execute()
    return newest?.device_id ?? undefined
  }

  /** The devices that redeemed a token with this cookie, in the order in which they first did. */
  async firstDevices(service: number, cookie: string, most: number): Promise<string[]> {
    const devices = await this.#redemptions(service, cookie)
      .select(({ fn }) => ['device_id', fn.min('event_id').as('oldest')])
      .groupBy('device_id')
      .orderBy('oldest')
      .limit(most)
      .execute()
    return devices.flatMap(({ device_id }) => device_id ?? [])
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

  /** The events behind `after`, in the order of their numbers. */
  async following(service: number, after: number, limit: number): Promise<EventRow[]> {
    return this.#of(service).where('event_id', '>', after).orderBy('event_id').limit(limit).execute()
  }

  /** In the order of time, `from` and `to` among them; `after` is the last event of the page before. */
  async between(service: number, { from, to, after }: TimeRange, limit: number): Promise<EventRow[]> {
    const page = this.#of(service).where('time', '<=', to).orderBy('time').orderBy('event_id').limit(limit)
    const [last] = after === undefined ? [] : await this.withId(service, after)
    // An event that retention has removed was older than all that are there, so the page begins at the beginning.
    if (last === undefined && after !== undefined && (await this.following(service, after, 1)).length === 0) return []
    if (last === undefined || last.time < from) return page.where('time', '>=', from).execute()
    return page
      .where('time', '>=', last.time)
      .where(({ eb, or }) => or([eb('time', '>', last.time), eb('event_id', '>', last.event_id)]))
      .execute()
  }

  /** Whether any service has ever had an event, including removed ones. */
  async wereAny(): Promise<boolean> {
    const used = await this.#db.selectFrom('services').select('id').where('last_event', '>', 0).limit(1).execute()
    return used.length > 0
  }

  /** Those of the chosen services that ever had an event; with `limit` at most so many. */
  async services(chosen: ChosenServices, limit?: number): Promise<number[]> {
    const services = await this.#db
      .selectFrom('services')
      .select('id')
      .where('last_event', '>', 0)
      .where(isOf(chosen, 'id'))
      .orderBy('id')
      .$if(limit !== undefined, query => query.limit(limit ?? 0))
      .execute()
    return services.map(({ id }) => id)
  }

  /**
   * Counts a day's tokens by the log, where a service has a quota and its newest token is of another day: an emulator's
   * clock can go back to a day, and must find it as it was. One service after the other, in the order in which issuing
   * locks them.
   */
  async recountTokens(chosen: ChosenServices, day: number): Promise<void> {
    const services = await this.#db
      .selectFrom('services')
      .select('id')
      .where('tokens_per_day', 'is not', null)
      .where('quota_day', '<>', day)
      .where(isOf(chosen, 'id'))
      .orderBy('id')
      .execute()
    for (const { id } of services)
      await this.#db
        .updateTable('services')
        .set(({ selectFrom }) => ({
          quota_day: day,
          tokens_today: selectFrom('events')
            .select(({ fn }) => fn.countAll<number>().as('tokens'))
            .where('service_id', '=', id)
            .where('time', '>=', startOfDay(day))
            .where('time', '<', startOfDay(day + 1))
            .where('event', 'in', ['token_issued', 'token_unknown']),
        }))
        .where('id', '=', id)
        .where('quota_day', '<>', day)
        .execute()
  }

  /**
   * Removes the oldest events of a service, at most `most`, up to the first that is not older than `moment`: no gap
   * may come into the numbers. An event from the time after `now` was written by a clock that was wrong, so it ends
   * nothing: it is deleted with the old ones after it. Returns how many it examined: `most` means that there may be more.
   */
  async removeOldest(service: number, { moment, now }: { moment: number; now: number }, most: number): Promise<number> {
    for (let after = 0; ; ) {
      const page = await this.#numbersAndTimes(service, after, most)
      const firstKept = page.findIndex(({ time }) => time >= moment && time <= now)
      const removable = firstKept === -1 ? page : page.slice(0, firstKept)
      const lastOld = removable.findLastIndex(({ time }) => time < moment)
      const last = removable[lastOld]
      if (last !== undefined) {
        await this.#db
          .deleteFrom('events')
          .where('service_id', '=', service)
          .where('event_id', '<=', last.event_id)
          .execute()
        return removable.length
      }
      if (firstKept !== -1 || page.length < most) return 0
      after = page.at(-1)?.event_id ?? 0
    }
  }

  #numbersAndTimes(service: number, after: number, most: number) {
    return this.#db
      .selectFrom('events')
      .select(['event_id', 'time'])
      .where('service_id', '=', service)
      .where('event_id', '>', after)
      .orderBy('event_id')
      .limit(most)
      .execute()
  }

  /** Redemptions with a device id. The kind of event is a literal, because the index is partial. */
  #redemptions(service: number, cookie: string) {
    return this.#db
      .selectFrom('events')
      .where('service_id', '=', service)
      .where('cookie', '=', cookie)
      .where('event', '=', sql.lit('token_redeemed'))
      .where('device_id', 'is not', null)
  }

  #of(service: number) {
    return this.#db.selectFrom('events').selectAll().where('service_id', '=', service)
  }

  async #oldestId(service: number): Promise<number | undefined> {
    const [oldest] = await this.#of(service).orderBy('event_id').limit(1).execute()
    return oldest?.event_id
  }
}

export interface TimeRange {
  readonly from: number
  readonly to: number
  readonly after?: number | undefined
}
