import type { Kysely } from 'kysely'
import type { Clustered } from './0001-accounts-events-keys.js'

export async function redemptions(db: Kysely<unknown>, clustered: Clustered): Promise<void> {
  await db.schema.alterTable('accounts').addColumn('max_redemptions', 'integer').execute()

  await db.schema
    .createTable('redemptions')
    .addColumn('service_id', 'bigint', column => column.notNull())
    .addColumn('token_id', 'text', column => column.notNull())
    .addColumn('count', 'integer', column => column.notNull())
    .addColumn('expires_at', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('redemptions_by_token', ['service_id', 'token_id'])
    .$call(table => (clustered === undefined ? table : table.modifyEnd(clustered)))
    .execute()
  await db.schema.createIndex('redemptions_by_expiry').on('redemptions').column('expires_at').execute()
}
