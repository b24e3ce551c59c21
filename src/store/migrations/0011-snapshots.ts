import type { Kysely } from 'kysely'

/** The snapshots of an emulator. The rows of each are in tables of its own, whose names have its number. */
export async function snapshots(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('snapshots')
    .addColumn('name', 'text', column => column.primaryKey())
    .addColumn('number', 'bigint', column => column.notNull())
    .addColumn('saved_at', 'bigint', column => column.notNull())
    .addColumn('schema', 'text', column => column.notNull())
    .addColumn('state', 'text', column => column.notNull())
    .execute()
}
