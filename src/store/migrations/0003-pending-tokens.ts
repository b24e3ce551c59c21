import type { Kysely } from 'kysely'
import type { Clustered } from './0001-accounts-events-keys.js'

export async function pendingTokens(db: Kysely<unknown>, clustered: Clustered): Promise<void> {
  await db.schema.alterTable('services').addColumn('tokens_per_day', 'bigint').execute()
  for (const name of ['quota_day', 'tokens_today'])
    await db.schema
      .alterTable('services')
      .addColumn(name, 'bigint', column => column.notNull().defaultTo(0))
      .execute()

  // No index of times: the table only holds tokens in flight, and is scanned once a minute.
  await db.schema
    .createTable('pending_tokens')
    .addColumn('id', 'text', column => column.primaryKey())
    .addColumn('service_id', 'bigint', column => column.notNull())
    .addColumn('quota_day', 'bigint', column => column.notNull())
    .addColumn('time', 'bigint', column => column.notNull())
    .addColumn('drm', 'text', column => column.notNull())
    .addColumn('kids', 'text', column => column.notNull())
    .addColumn('cookie', 'text')
    .addColumn('device_id', 'text')
    .addColumn('ip_address', 'text')
    .addColumn('rights_type', 'text')
    .addColumn('request_id', 'text', column => column.notNull())
    .$call(table => (clustered === undefined ? table : table.modifyEnd(clustered)))
    .execute()
}
