import { Kysely } from 'kysely'
import { AccountRepository } from './account-repository.js'
import { ContentRepository } from './content-repository.js'
import type { Engine } from './engine.js'
import { EventRepository } from './event-repository.js'
import { IdempotencyRepository } from './idempotency-repository.js'
import { KeyRepository } from './key-repository.js'
import { MIGRATION_NAMES, migrate } from './migrations.js'
import { ResetRepository } from './reset-repository.js'
import { ClockMemory, countUp } from './shared-settings.js'
import { SnapshotRepository } from './snapshot-repository.js'
import { sqliteEngine } from './sqlite/sqlite-engine.js'
import type { Tables } from './tables.js'
import { PendingTokenRepository, RedemptionRepository } from './token-repositories.js'

/** The database: a repository for each subject. */
export interface Store {
  readonly accounts: AccountRepository
  readonly clock: ClockMemory
  readonly contents: ContentRepository
  readonly events: EventRepository
  readonly idempotency: IdempotencyRepository
  readonly keys: KeyRepository
  readonly pendingTokens: PendingTokenRepository
  readonly redemptions: RedemptionRepository
  readonly resets: ResetRepository
  readonly snapshots: SnapshotRepository
  /** The migrations that were applied when it was opened. */
  readonly applied: readonly string[]
  /** Warnings for the operator, logged at the start. */
  readonly warnings: readonly string[]
  readiness(): Promise<Readiness>
  close(): Promise<void>
}

export type Readiness =
  | 'ready'
  | 'the database does not answer'
  | 'the database is read-only'
  | 'the database cannot be written to'

/** Opens the database that a DATABASE_URL names, and brings its tables to this version. */
export async function openStore(url: string): Promise<Store> {
  const engine = await engineOf(url)
  const db = new Kysely<Tables>({ dialect: engine.dialect })
  try {
    const applied = await migrated(engine)
    const events = new EventRepository(db, engine)
    return {
      accounts: new AccountRepository(db),
      clock: new ClockMemory(db, engine, events),
      contents: new ContentRepository(db),
      events,
      idempotency: new IdempotencyRepository(db, engine),
      keys: new KeyRepository(db),
      pendingTokens: new PendingTokenRepository(db, engine),
      redemptions: new RedemptionRepository(db),
      resets: new ResetRepository(db),
      snapshots: new SnapshotRepository(db),
      applied,
      warnings: engine.warnings,
      readiness: () => readiness(engine, db, events),
      close: () => engine.close(),
    }
  } catch (error) {
    await engine.close()
    throw error
  }
}

/**
 * Where the newest group failed, readiness probes may be the only requests left, so this writes: an empty group takes the
 * same path, and a counter must reach the disk.
 */
async function readiness(engine: Engine, db: Kysely<Tables>, events: EventRepository): Promise<Readiness> {
  try {
    if (await engine.readOnly()) return 'the database is read-only'
  } catch {
    return 'the database does not answer'
  }
  if (!events.lastFailed) return 'ready'
  try {
    await countUp(db, 'write checks')
    await events.commit([])
    return 'ready'
  } catch {
    return 'the database cannot be written to'
  }
}

async function migrated(engine: Engine): Promise<readonly string[]> {
  if (await engine.makeTables?.()) return MIGRATION_NAMES
  const db = new Kysely<Tables>({ dialect: engine.migrationDialect })
  try {
    return await migrate(db, engine.clustered)
  } finally {
    await db.destroy()
  }
}

async function engineOf(url: string): Promise<Engine> {
  if (url === 'memory:') return sqliteEngine(':memory:')
  if (url.startsWith('sqlite:')) return sqliteEngine(url.slice('sqlite:'.length))
  // Loaded only when used: its library takes time to load.
  const { postgresEngine } = await import('./postgres/postgres-engine.js')
  return postgresEngine(url)
}
