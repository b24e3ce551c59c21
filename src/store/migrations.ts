import { type Kysely, type Migration, Migrator } from 'kysely'
import { accountsEventsKeys, type Clustered } from './migrations/0001-accounts-events-keys.js'
import { redemptions } from './migrations/0002-redemptions.js'
import { pendingTokens } from './migrations/0003-pending-tokens.js'
import { idempotencyKeys } from './migrations/0004-idempotency-keys.js'
import { requestLimits } from './migrations/0005-request-limits.js'
import { contents } from './migrations/0006-contents.js'
import { redeemingDevices } from './migrations/0007-redeeming-devices.js'
import { drmOptions } from './migrations/0008-drm-options.js'
import { accountSettings } from './migrations/0009-account-settings.js'
import type { Tables } from './tables.js'

/** It was changed by migrations that this version does not have. */
export class NewerDatabase extends Error {
  constructor() {
    super('DATABASE_URL: a newer version of the service has changed this database')
    this.name = 'NewerDatabase'
  }
}

/**
 * Brings the database to this version's tables; each migration runs once. Of instances that start together one
 * does it, under a lock, and the others wait. A newer version's database is refused. Returns what was applied.
 */
export async function migrate(db: Kysely<Tables>, clustered: Clustered): Promise<string[]> {
  const migrations: Record<string, Migration> = {
    '0001-accounts-events-keys': { up: (db: Kysely<unknown>) => accountsEventsKeys(db, clustered) },
    '0002-redemptions': { up: (db: Kysely<unknown>) => redemptions(db, clustered) },
    '0003-pending-tokens': { up: (db: Kysely<unknown>) => pendingTokens(db, clustered) },
    '0004-idempotency-keys': { up: (db: Kysely<unknown>) => idempotencyKeys(db, clustered) },
    '0005-request-limits': { up: requestLimits },
    '0006-contents': { up: contents },
    '0007-redeeming-devices': { up: redeemingDevices },
    '0008-drm-options': { up: drmOptions },
    '0009-account-settings': { up: accountSettings },
  }
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error instanceof Error && /^corrupted migrations: previously executed/.test(error.message))
    throw new NewerDatabase()
  if (error !== undefined) throw error
  return results.map(({ migrationName }) => migrationName)
}
