import type { Kysely } from 'kysely'
import type { Engine } from './engine.js'
import type { EventRepository } from './event-repository.js'
import type { Tables } from './tables.js'

/** A string that all instances on one database share. The first instance that reads it creates it. */
export async function sharedSetting(db: Kysely<Tables>, name: string, make: () => string): Promise<string> {
  const find = () => db.selectFrom('settings').select('value').where('name', '=', name).executeTakeFirst()
  const found = await find()
  if (found !== undefined) return found.value
  await db
    .insertInto('settings')
    .values({ name, value: make() })
    .onConflict(conflict => conflict.column('name').doNothing())
    .execute()
  const { value } = (await find()) ?? {}
  if (value === undefined) throw new Error(`the database did not keep the setting "${name}"`)
  return value
}

/** Increments a counter. Inside a transaction it also is a lock: other increments wait until that transaction ends. */
export async function countUp(db: Kysely<Tables>, name: string): Promise<void> {
  await db
    .insertInto('settings')
    .values({ name, value: '1' })
    .onConflict(conflict =>
      conflict.column('name').doUpdateSet(({ cast, eb, ref }) => ({
        value: cast(eb(cast<number>(ref('settings.value'), 'bigint'), '+', 1), 'text'),
      })),
    )
    .execute()
}

const LAST_SEEN = 'last seen'

/** What the database knows about time, to check this machine's clock against. */
export class ClockMemory {
  readonly #db: Kysely<Tables>
  readonly #engine: Engine
  readonly #events: EventRepository

  constructor(db: Kysely<Tables>, engine: Engine, events: EventRepository) {
    this.#db = db
    this.#engine = engine
    this.#events = events
  }

  /** The latest time that an instance trusted; in a database of an earlier version, the time of the newest event. */
  async lastSeen(): Promise<number | undefined> {
    const found = await this.#db.selectFrom('settings').select('value').where('name', '=', LAST_SEEN).executeTakeFirst()
    return found === undefined ? this.#events.newestTime() : Number(found.value)
  }

  async remember(time: number): Promise<void> {
    await this.#db
      .insertInto('settings')
      .values({ name: LAST_SEEN, value: String(time) })
      .onConflict(conflict =>
        conflict
          .column('name')
          .doUpdateSet({ value: String(time) })
          .where(({ cast, ref }) => cast<number>(ref('settings.value'), 'bigint'), '<', time),
      )
      .execute()
  }

  /** What the database's own clock says, where that is not this machine's. */
  databaseTime(): Promise<number | undefined> {
    return this.#engine.time()
  }
}
