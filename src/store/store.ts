import { Kysely, sql } from 'kysely'
import { AccountRepository } from './accounts.js'
import { ContentRepository } from './contents.js'
import type { Engine } from './engine.js'
import { EventRepository } from './events.js'
import { IdempotencyRepository } from './idempotency.js'
import { KeyRepository } from './keys.js'
import { migrate } from './migrate.js'
import { PendingTokenRepository } from './pending-tokens.js'
import { RedemptionRepository } from './redemptions.js'
import { sqliteEngine } from './sqlite/engine.js'
import type { Tables } from './tables.js'

/** The database: a repository for each subject. */
export interface Store {
  readonly accounts: AccountRepository
  readonly contents: ContentRepository
  readonly events: EventRepository
  readonly idempotency: IdempotencyRepository
  readonly keys: KeyRepository
  readonly pendingTokens: PendingTokenRepository
  readonly redemptions: RedemptionRepository
  /** The migrations that were applied when it was opened. */
  readonly applied: readonly string[]
  /** Resolves when the database answers. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** Opens the database that a DATABASE_URL names, and brings its tables to this version. */
export async function openStore(url: string): Promise<Store> {
  const engine = await engineOf(url)
  const db = new Kysely<Tables>({ dialect: engine.dialect })
  try {
    const applied = await migrated(engine)
    return {
      accounts: new AccountRepository(db),
      contents: new ContentRepository(db),
      events: new EventRepository(db, engine),
      idempotency: new IdempotencyRepository(db, engine),
      keys: new KeyRepository(db),
      pendingTokens: new PendingTokenRepository(db, engine),
      redemptions: new RedemptionRepository(db),
      applied,
      ping: async () => {
        await sql`select 1`.execute(db)
      },
      close: () => engine.close(),
    }
  } catch (error) {
    await engine.close()
    throw error
  }
}

async function migrated({ patientDialect, clustered }: Engine): Promise<string[]> {
  const db = new Kysely<Tables>({ dialect: patientDialect })
  try {
    return await migrate(db, clustered)
  } finally {
    await db.destroy()
  }
}

async function engineOf(url: string): Promise<Engine> {
  if (url === 'memory:') return sqliteEngine(':memory:')
  if (url.startsWith('sqlite:')) return sqliteEngine(url.slice('sqlite:'.length))
  // Only those who use it wait for its library to load.
  const { postgresEngine } = await import('./postgres/engine.js')
  return postgresEngine(url)
}
