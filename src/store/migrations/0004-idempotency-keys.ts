import type { Kysely } from 'kysely'
import type { Clustered } from './0001-accounts-events-keys.js'

export async function idempotencyKeys(db: Kysely<unknown>, clustered: Clustered): Promise<void> {
  await db.schema
    .createTable('idempotency_keys')
    .addColumn('service_id', 'bigint', column => column.notNull())
    .addColumn('key_hash', 'text', column => column.notNull())
    .addColumn('request_hash', 'text', column => column.notNull())
    .addColumn('claim', 'text', column => column.notNull())
    .addColumn('claimed_at', 'bigint', column => column.notNull())
    .addColumn('outcome', 'text')
    .addColumn('expires_at', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('idempotency_keys_by_key', ['service_id', 'key_hash'])
    .$call(table => (clustered === undefined ? table : table.modifyEnd(clustered)))
    .execute()
  await db.schema.createIndex('idempotency_keys_by_expiry').on('idempotency_keys').column('expires_at').execute()
}
