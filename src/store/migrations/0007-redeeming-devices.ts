import { type Kysely, sql } from 'kysely'

/**
 * The devices of a cookie, however many other events it has. Tokens that are issued are not in this index. The kind of
 * event is, though it is the same in every row: without it SQLite does not see that the index answers the whole
 * question, and walks through the log.
 */
export async function redeemingDevices(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createIndex('events_by_device')
    .on('events')
    .columns(['service_id', 'cookie', 'event', 'event_id', 'device_id'])
    .where(sql.ref('event'), '=', sql.lit('token_redeemed'))
    .where(sql.ref('cookie'), 'is not', null)
    .where(sql.ref('device_id'), 'is not', null)
    .execute()
}
