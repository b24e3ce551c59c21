import { type Kysely, sql, type Transaction } from 'kysely'
import { changingAccounts } from './account-repository.js'
import { SCHEMA_VERSION } from './migrations.js'
import { countUp } from './shared-settings.js'
import type { SnapshotRow, Tables } from './tables.js'

/** The tables of a snapshot; a table comes after those that it refers to. Settings are of the database, whatever is in it. */
const COPIED = [
  'accounts',
  'services',
  'authenticators',
  'keys',
  'events',
  'pending_tokens',
  'redemptions',
  'idempotency_keys',
  'contents',
] as const

/** The setting that counts snapshots. */
const NUMBERS = 'snapshots'

/** Copies of the tables, inside the database. Each change is one transaction. */
export class SnapshotRepository {
  /** The version of the tables that can be restored. */
  readonly schema = SCHEMA_VERSION
  readonly #db: Kysely<Tables>

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** Copies all rows, in place of a snapshot with this name; `false`, and nothing is changed, where there are `most` already. */
  async save(snapshot: Pick<SnapshotRow, 'name' | 'saved_at' | 'state'>, most: number): Promise<boolean> {
    // All copies show the database at one moment.
    const transaction = this.#db.transaction().setIsolationLevel('repeatable read')
    return transaction.execute(async db => {
      await countUp(db, NUMBERS)
      await removeSnapshot(db, snapshot.name)
      if ((await db.selectFrom('snapshots').select('number').execute()).length >= most) return false
      const { value } = await db
        .selectFrom('settings')
        .select('value')
        .where('name', '=', NUMBERS)
        .executeTakeFirstOrThrow()
      const number = Number(value)
      for (const table of COPIED)
        await sql`create table ${sql.table(copyOf(table, number))} as select * from ${sql.table(table)}`.execute(db)
      await db
        .insertInto('snapshots')
        .values({ ...snapshot, number, schema: this.schema })
        .execute()
      return true
    })
  }

  /** The oldest first. */
  async list(): Promise<SnapshotRow[]> {
    return this.#db.selectFrom('snapshots').selectAll().orderBy('number').execute()
  }

  async find(name: string): Promise<SnapshotRow | undefined> {
    return this.#db.selectFrom('snapshots').selectAll().where('name', '=', name).executeTakeFirst()
  }

  /** Puts its rows in the place of those that are there. */
  async restore({ number }: SnapshotRow): Promise<void> {
    await changingAccounts(this.#db, async db => {
      for (const table of COPIED.toReversed()) await sql`delete from ${sql.table(table)}`.execute(db)
      for (const table of COPIED)
        await sql`insert into ${sql.table(table)} select * from ${sql.table(copyOf(table, number))}`.execute(db)
    })
  }

  /** `false` when there is none with this name. */
  async remove(name: string): Promise<boolean> {
    return this.#db.transaction().execute(db => removeSnapshot(db, name))
  }
}

function copyOf(table: string, number: number): string {
  return `snapshot_${number}_${table}`
}

async function removeSnapshot(db: Transaction<Tables>, name: string): Promise<boolean> {
  const [removed] = await db.deleteFrom('snapshots').where('name', '=', name).returning('number').execute()
  if (removed === undefined) return false
  // One of an earlier version may have fewer tables.
  for (const table of COPIED) await sql`drop table if exists ${sql.table(copyOf(table, removed.number))}`.execute(db)
  return true
}
