import type { Kysely } from 'kysely'

/** Marks the refusals that an emulator was told to inject. */
export async function injectedRefusals(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('events').addColumn('injected', 'integer').execute()
}
