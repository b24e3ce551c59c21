import { type Kysely, Migrator } from 'kysely'
import { accountsEventsKeys, type Clustered } from './migrations/0001-accounts-events-keys.js'
import { redemptions } from './migrations/0002-redemptions.js'
import { pendingTokens } from './migrations/0003-pending-tokens.js'
import { idempotencyKeys } from './migrations/0004-idempotency-keys.js'
import { requestLimits } from './migrations/0005-request-limits.js'
import { contents } from './migrations/0006-contents.js'
import { redeemingDevices } from './migrations/0007-redeeming-devices.js'
import { drmOptions } from './migrations/0008-drm-options.js'
import { accountSettings } from './migrations/0009-account-settings.js'
import { injectedRefusals } from './migrations/0010-injected-refusals.js'
import { snapshots } from './migrations/0011-snapshots.js'
import type { Tables } from './tables.js'

/** It was changed by migrations that this version does not have. */
export class NewerDatabase extends Error {
  constructor() {
    super('DATABASE_URL: a newer version of the service has changed this database')
    this.name = 'NewerDatabase'
  }
}

type Up = (db: Kysely<unknown>, clustered: Clustered) => Promise<void>

const MIGRATIONS: Readonly<Record<string, Up>> = {
  '0001-accounts-events-keys': accountsEventsKeys,
  '0002-redemptions': redemptions,
  '0003-pending-tokens': pendingTokens,
  '0004-idempotency-keys': idempotencyKeys,
  '0005-request-limits': requestLimits,
  '0006-contents': contents,
  '0007-redeeming-devices': redeemingDevices,
  '0008-drm-options': drmOptions,
  '0009-account-settings': accountSettings,
  '0010-injected-refusals': injectedRefusals,
  '0011-snapshots': snapshots,
}

export const MIGRATION_NAMES = Object.keys(MIGRATIONS)

/** The version of the tables: the newest migration. */
export const SCHEMA_VERSION = MIGRATION_NAMES.at(-1) ?? ''

/**
 * Brings the database to this version's tables; each migration runs once. Of instances that start together one
 * does it, under a lock, and the others wait. A newer version's database is refused. Returns what was applied.
 */
export async function migrate(db: Kysely<Tables>, clustered: Clustered): Promise<string[]> {
  const migrations = Object.fromEntries(
    Object.entries(MIGRATIONS).map(([name, up]) => [name, { up: (db: Kysely<unknown>) => up(db, clustered) }]),
  )
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error instanceof Error && /^corrupted migrations: previously executed/.test(error.message))
    throw new NewerDatabase()
  if (error !== undefined) throw error
  return results.map(({ migrationName }) => migrationName)
}
