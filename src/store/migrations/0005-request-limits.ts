import type { Kysely } from 'kysely'

export async function requestLimits(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('accounts').addColumn('requests_per_minute', 'integer').execute()
}
