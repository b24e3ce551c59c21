import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'libsql'
import { makeFolder } from '../../ground/files.js'
import { GroupWriter } from './group-writer.js'
import { Statement, type Value } from './statement.js'

export interface Outcome {
  readonly rows: readonly object[]
  readonly changes: number
}

/** One SQLite file, locked for this process, or a database in memory. Its calls are synchronous, so a file belongs in a thread. */
export class SqliteDatabase {
  readonly #database: Database.Database
  /** Writes groups of events. */
  readonly writer: GroupWriter

  constructor(path: string) {
    this.#database = open(path)
    this.writer = new GroupWriter(this.#database)
  }

  execute(sql: string, values: readonly Value[]): Outcome {
    const statement = new Statement(this.#database, sql)
    if (statement.isReader) return { rows: statement.all(values), changes: 0 }
    return { rows: [], changes: statement.run(values) }
  }

  /** Statements without values. */
  run(script: string): void {
    this.#database.exec(script)
  }

  close(): void {
    this.#database.close()
  }
}

/** Pages of the log file between two checkpoints: few, because a checkpoint delays the groups that arrive during it. */
const CHECKPOINT_PAGES = 4000
const CACHE_KIB = 4_000

function open(path: string): Database.Database {
  if (path !== ':memory:') {
    makeFolder(dirname(path))
    makeFile(path)
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

/**
 * Creates the file with mode 0600. An existing file is not opened: closing any descriptor of it would drop the lock of a
 * server in this process that has it open.
 */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}
