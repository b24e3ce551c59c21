import type { ExpressionBuilder, Kysely } from 'kysely'
import { type ChosenServices, isOf } from './chosen-services.js'
import type { KeyRow, Tables } from './tables.js'

/** What can change of a stored key; what is not given stays. */
export type KeyChange = { readonly [column in Changeable]?: KeyRow[column] | undefined }
type Changeable = Exclude<keyof KeyRow, 'service_id' | 'kid' | 'last_update'>

/** Keys counted per query: it takes a few milliseconds, which is the longest that it delays a group of events. */
const COUNTED_AT_A_TIME = 20_000

/** The wrapped keys of each service. An expired key is no key: `now` decides, in every question. */
export class KeyRepository {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** In no particular order. */
  async find(service: number, kids: readonly string[], now: number): Promise<KeyRow[]> {
    return this.#of(service).where('kid', 'in', kids).where(isAlive(now)).execute()
  }

  /**
   * The keys behind `after` in the order of their KIDs, including expired ones: filtering those in the query could
   * take as long as there are many.
   */
  async page(service: number, after: string, limit: number): Promise<KeyRow[]> {
    return this.#of(service).where('kid', '>', after).orderBy('kid').limit(limit).execute()
  }

  /** Deletes at most `most` expired keys, and returns how many. */
  async removeExpired(services: ChosenServices, now: number, most: number): Promise<number> {
    const expired = await this.#db
      .selectFrom('keys')
      .select(['service_id', 'kid'])
      .where('expiration', '<=', now)
      .where(isOf(services))
      .limit(most)
      .execute()
    for (const { service_id, kid } of expired)
      await this.#db
        .deleteFrom('keys')
        .where('service_id', '=', service_id)
        .where('kid', '=', kid)
        .where('expiration', '<=', now)
        .execute()
    return expired.length
  }

  async count(service: number, now: number): Promise<number> {
    let count = 0
    for (let after: string | null = ''; after !== null; ) {
      const slice = await this.#countSlice(service, after, now)
      count += slice.alive
      after = slice.last
    }
    return count
  }

  /** Adds a key in one step, in the place of an expired one; `false`, and nothing is changed, when there is one. */
  async add(row: KeyRow, now: number): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.#db
      .insertInto('keys')
      .values(row)
      .onConflict(conflict =>
        conflict.columns(['service_id', 'kid']).doUpdateSet(row).where('keys.expiration', '<=', now),
      )
      .executeTakeFirst()
    return numInsertedOrUpdatedRows === 1n
  }

  /** Changes a key in one step, so that two changes of different columns both take effect; `false` if there is no such key. */
  async change(service: number, kid: string, change: KeyChange, now: number): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable('keys')
      .set({ ...change, last_update: now })
      .where('service_id', '=', service)
      .where('kid', '=', kid)
      .where(isAlive(now))
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }

  async remove(service: number, kid: string, now: number): Promise<boolean> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('keys')
      .where('service_id', '=', service)
      .where('kid', '=', kid)
      .where(isAlive(now))
      .executeTakeFirst()
    return numDeletedRows === 1n
  }

  #of(service: number) {
    return this.#db.selectFrom('keys').selectAll().where('service_id', '=', service)
  }

  async #countSlice(service: number, after: string, now: number): Promise<{ alive: number; last: string | null }> {
    return this.#db
      .selectFrom(this.#of(service).where('kid', '>', after).orderBy('kid').limit(COUNTED_AT_A_TIME).as('keys'))
      .select(({ fn }) => [
        fn.countAll<number>().filterWhere(isAlive(now)).as('alive'),
        fn.max<string | null>('kid').as('last'),
      ])
      .executeTakeFirstOrThrow()
  }
}

function isAlive(now: number) {
  return ({ eb }: ExpressionBuilder<Tables, 'keys'>) => eb('expiration', 'is', null).or('expiration', '>', now)
}
