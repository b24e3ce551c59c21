import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'libsql'
import type { Entry, Uncovered } from '../engine.js'
import { GroupWriter } from './group-writer.js'

export type Value = string | number | null
export interface Outcome {
  readonly rows: readonly object[]
  readonly changes: number
}

/** One SQLite file, opened by nobody else; or a database in memory. It answers at once, so it belongs into a thread. */
export class SqliteDatabase {
  readonly #database: Database.Database
  readonly #writer: GroupWriter

  constructor(path: string) {
    this.#database = open(path)
    this.#writer = new GroupWriter(this.#database)
  }

  execute(sql: string, values: readonly Value[]): Outcome {
    // The library ends the process on a value of a kind that it does not know.
    if (!values.every(isValue)) throw new TypeError('a value is neither text nor number')
    const statement = this.#database.prepare(sql)
    if (statement.reader) return { rows: statement.all(values) as object[], changes: 0 } // it makes objects of rows
    return { rows: [], changes: statement.run(values).changes }
  }

  commit(entries: readonly Entry[]): readonly Uncovered[] {
    return this.#writer.commit(entries)
  }

  close(): void {
    this.#database.close()
  }
}

/** Pages of the log file between two checkpoints: few of them, because each holds up the groups that come meanwhile. */
const CHECKPOINT_PAGES = 4000
const CACHE_KIB = 8_000

function open(path: string): Database.Database {
  if (path !== ':memory:') {
    mkdirSync(dirname(path), { recursive: true })
    closeSync(openSync(path, 'a', 0o600))
  }
  const database = new Database(path)
  try {
    // Exclusive: one connection and no other process, for as long as this one lives. FULL: a commit is on the disk.
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    database.exec('PRAGMA journal_mode = WAL')
    database.exec('PRAGMA synchronous = FULL')
    database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    database.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
    database.exec('PRAGMA foreign_keys = ON')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function isValue(value: unknown): value is Value {
  return value === null || typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))
}
