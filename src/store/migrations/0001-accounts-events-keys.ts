import { type Kysely, type RawBuilder, sql } from 'kysely'

/** Rows in the order of their primary key, for engines that have such tables. */
export type Clustered = RawBuilder<unknown> | undefined

export async function accountsEventsKeys(db: Kysely<unknown>, clustered: Clustered): Promise<void> {
  await db.schema
    .createTable('settings')
    .addColumn('name', 'text', column => column.primaryKey())
    .addColumn('value', 'text', column => column.notNull())
    .execute()

  await db.schema
    .createTable('accounts')
    .addColumn('id', 'bigint', column => column.primaryKey())
    .addColumn('name', 'text', column => column.notNull())
    .addColumn('enabled', 'integer', column => column.notNull())
    .addColumn('playready', 'integer', column => column.notNull())
    .execute()

  await db.schema
    .createTable('services')
    .addColumn('id', 'bigint', column => column.primaryKey())
    .addColumn('account_id', 'bigint', column => column.notNull().references('accounts.id'))
    .addColumn('environment', 'text', column => column.notNull())
    .addColumn('balance', 'bigint', column => column.notNull().check(sql`balance >= 0`))
    .addColumn('last_event', 'bigint', column => column.notNull())
    .addUniqueConstraint('services_by_account', ['account_id', 'environment'])
    .execute()

  await db.schema
    .createTable('authenticators')
    .addColumn('hash', 'text', column => column.notNull())
    .addColumn('service_id', 'bigint', column => column.notNull().references('services.id'))
    .addColumn('created_at', 'bigint', column => column.notNull())
    .addColumn('valid_until', 'bigint')
    .addPrimaryKeyConstraint('authenticators_by_service', ['service_id', 'hash'])
    .execute()

  await db.schema
    .createTable('keys')
    .addColumn('service_id', 'bigint', column => column.notNull())
    .addColumn('kid', 'text', column => column.notNull())
    .addColumn('ek', 'text', column => column.notNull())
    .addColumn('kek_id', 'text')
    .addColumn('info', 'text')
    .addColumn('content_id', 'text')
    .addColumn('expiration', 'bigint')
    .addColumn('last_update', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('keys_by_kid', ['service_id', 'kid'])
    .$call(table => (clustered === undefined ? table : table.modifyEnd(clustered)))
    .execute()

  await db.schema
    .createIndex('keys_by_expiry')
    .on('keys')
    .column('expiration')
    .where(sql.ref('expiration'), 'is not', null)
    .execute()

  await db.schema
    .createTable('events')
    .addColumn('service_id', 'bigint', column => column.notNull())
    .addColumn('event_id', 'bigint', column => column.notNull())
    .addColumn('time', 'bigint', column => column.notNull())
    .addColumn('event', 'text', column => column.notNull())
    .addColumn('drm', 'text', column => column.notNull())
    .addColumn('token_id', 'text')
    .addColumn('kids', 'text', column => column.notNull())
    .addColumn('cookie', 'text')
    .addColumn('device_id', 'text')
    .addColumn('ip_address', 'text')
    .addColumn('rights_type', 'text')
    .addColumn('error_code', 'integer', column => column.notNull())
    .addColumn('request_id', 'text', column => column.notNull())
    .addPrimaryKeyConstraint('events_in_order', ['service_id', 'event_id'])
    .$call(table => (clustered === undefined ? table : table.modifyEnd(clustered)))
    .execute()
  await db.schema
    .createIndex('events_by_cookie')
    .on('events')
    .columns(['service_id', 'cookie', 'event_id'])
    .where(sql.ref('cookie'), 'is not', null)
    .execute()
  await db.schema.createIndex('events_by_time').on('events').columns(['service_id', 'time', 'event_id']).execute()
}
