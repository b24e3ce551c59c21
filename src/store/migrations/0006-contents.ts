import type { Kysely } from 'kysely'

/** Not in the order of the key, as other tables are: a content with many viewers is a long row, and would fill a page. */
export async function contents(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('contents')
    .addColumn('content_id', 'text', column => column.notNull().primaryKey())
    .addColumn('sealed', 'text', column => column.notNull())
    .addColumn('updated_at', 'bigint', column => column.notNull())
    .execute()
}
