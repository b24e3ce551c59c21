import { type Kysely, sql } from 'kysely'
import type { ContentRow, Tables } from './tables.js'

/** The contents that administrators added to the catalogue. Ids are in lower case. */
export class ContentRepository {
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  async find(contentID: string): Promise<ContentRow | undefined> {
    return this.#db.selectFrom('contents').selectAll().where('content_id', '=', contentID).executeTakeFirst()
  }

  /** The contents behind `after`, in the order of their ids. */
  async page(after: string, limit: number): Promise<ContentRow[]> {
    const contents = this.#db.selectFrom('contents').selectAll().where('content_id', '>', after)
    return contents.orderBy('content_id').limit(limit).execute()
  }

  /** The ids behind `after`, in their order, and the first characters of what is stored of each. */
  async beginnings(after: string, limit: number, characters: number): Promise<ContentBeginning[]> {
    const beginning = sql<string>`substr(sealed, 1, ${sql.lit(characters)})`
    return this.#db
      .selectFrom('contents')
      .select(['content_id', beginning.as('beginning')])
      .where('content_id', '>', after)
      .orderBy('content_id')
      .limit(limit)
      .execute()
  }

  /** Replaces the sealed form of a content; `false`, and no change, if the content was replaced in the meantime. */
  async reseal(former: ContentRow, sealed: string): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable('contents')
      .set({ sealed })
      .where('content_id', '=', former.content_id)
      .where('sealed', '=', former.sealed)
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }

  /** `false`, and nothing is changed, when there is one with this id. */
  async add(row: ContentRow): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.#db
      .insertInto('contents')
      .values(row)
      .onConflict(conflict => conflict.column('content_id').doNothing())
      .executeTakeFirst()
    return numInsertedOrUpdatedRows === 1n
  }

  /** Adds a content, or puts it in the place of the one that has its id. */
  async put(row: ContentRow): Promise<void> {
    const { sealed, updated_at } = row
    await this.#db
      .insertInto('contents')
      .values(row)
      .onConflict(conflict => conflict.column('content_id').doUpdateSet({ sealed, updated_at }))
      .execute()
  }

  /** `false` if there is no such content. */
  async remove(contentID: string): Promise<boolean> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('contents')
      .where('content_id', '=', contentID)
      .executeTakeFirst()
    return numDeletedRows === 1n
  }
}

export interface ContentBeginning {
  readonly content_id: string
  readonly beginning: string
}
