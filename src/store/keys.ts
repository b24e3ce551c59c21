import type { Kysely } from 'kysely'
import type { KeyRow, Tables } from './tables.js'

/** The wrapped keys of each service. */
export class KeyRepository {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  async find(service: number, kid: string): Promise<KeyRow | undefined> {
    return this.#db
      .selectFrom('keys')
      .selectAll()
      .where('service_id', '=', service)
      .where('kid', '=', kid)
      .executeTakeFirst()
  }
}
