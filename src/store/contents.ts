import type { Kysely } from 'kysely'
import type { Tables } from './tables.js'

/** The contents that administrators added to the catalogue. */
export class ContentRepository {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
    void this.#db
  }
}
