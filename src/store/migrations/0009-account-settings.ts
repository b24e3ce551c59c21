import { type Kysely, sql } from 'kysely'

/** When an account pays, the style of its tokens, how strictly its requests are read; and names of authenticators. */
export async function accountSettings(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('accounts')
    .addColumn('charge', 'text', column => column.notNull().defaultTo('issue'))
    .execute()
  await db.schema.alterTable('accounts').addColumn('token_style', 'text').execute()
  await db.schema.alterTable('accounts').addColumn('strict_parameters', 'integer').execute()

  await db.schema.alterTable('authenticators').addColumn('name', 'text').execute()
  await db.schema
    .createIndex('authenticators_by_name')
    .unique()
    .on('authenticators')
    .columns(['service_id', 'name'])
    .where(sql.ref('name'), 'is not', null)
    .execute()
}
