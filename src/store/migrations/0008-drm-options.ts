import { type Kysely, sql } from 'kysely'

/** An account's options by the names of the DRMs, in JSON, in place of a column for PlayReady alone. */
export async function drmOptions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('accounts')
    .addColumn('drm', 'text', column => column.notNull().defaultTo('{}'))
    .execute()
  await sql`update accounts set drm = '{"playready":false}' where playready = 0`.execute(db)
  await db.schema.alterTable('accounts').dropColumn('playready').execute()
}
