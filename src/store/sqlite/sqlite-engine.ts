import { readFileSync } from 'node:fs'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import { builtFile } from '../../ground/own-package.js'
import type { Engine } from '../engine.js'
import { type Connection, inlineConnection, threadConnection } from './connection.js'
import type { Value } from './statement.js'

/** What the migrations make of an empty database, as a script (write-tables.ts). */
export const TABLES = 'sqlite-tables.sql'

/** SQLite, inside this process: a file in a thread of its own, or a database that lives as long as the process. */
export async function sqliteEngine(path: string): Promise<Engine> {
  const connection = path === ':memory:' ? inlineConnection(path) : await threadConnection(path).catch(explain(path))
  const gate = new Gate()
  const dialect = dialectOf(connection, gate)
  return {
    dialect,
    migrationDialect: dialect,
    clustered: sql`without rowid`,
    makeTables: async () => {
      const { rows } = await connection.execute('select 1 from sqlite_master limit 1', [])
      if (rows.length > 0) return false
      await connection.run(readFileSync(builtFile(TABLES), 'utf8'))
      return true
    },
    isExclusive: true,
    // A group must not run between the statements of a transaction.
    commit: entries => gate.pass(() => connection.commit(entries)),
    warnings: [],
    readOnly: async () => {
      await gate.pass(() => connection.execute('select 1', []))
      return false
    },
    time: async () => undefined,
    close: () => connection.close(),
  }
}

function explain(path: string) {
  return (error: NodeJS.ErrnoException): never => {
    if (error.code === 'SQLITE_BUSY') throw new DatabaseInUse(path)
    throw new Error(`DATABASE_URL: ${path} cannot be opened: ${error.message}`)
  }
}

export class DatabaseInUse extends Error {
  constructor(path: string) {
    super(`DATABASE_URL: ${path} is in use by another process, or by another server in this one`)
    this.name = 'DatabaseInUse'
  }
}

function dialectOf(connection: Connection, gate: Gate): Dialect {
  return {
    createAdapter: () => new TransactionalAdapter(),
    createDriver: () => new SqliteDriver(connection, gate),
    createIntrospector: db => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/** Kysely is careful with other libraries; here tables are made in a transaction, so a start that is killed leaves none. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

class SqliteDriver implements Driver {
  readonly #connection: Connection
  readonly #gate: Gate

  constructor(connection: Connection, gate: Gate) {
    this.#connection = connection
    this.#gate = gate
  }

  async acquireConnection(): Promise<SharedConnection> {
    return new SharedConnection(this.#connection, this.#gate)
  }

  async beginTransaction(connection: SharedConnection): Promise<void> {
    await connection.begin()
  }

  async commitTransaction(connection: SharedConnection): Promise<void> {
    await connection.end('commit')
  }

  async rollbackTransaction(connection: SharedConnection): Promise<void> {
    await connection.end('rollback')
  }

  async init(): Promise<void> {}

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}

/** A connection to kysely; in fact all of them share the only one, and a transaction has exclusive use of it. */
class SharedConnection implements DatabaseConnection {
  readonly #connection: Connection
  readonly #gate: Gate
  #isInTransaction = false

  constructor(connection: Connection, gate: Gate) {
    this.#connection = connection
    this.#gate = gate
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    // Kysely types both from the tables, which have nothing but texts and numbers.
    const execute = () => this.#connection.execute(sql, parameters as readonly Value[])
    const { rows, changes } = await (this.#isInTransaction ? execute() : this.#gate.pass(execute))
    return { rows: rows as R[], numAffectedRows: BigInt(changes) }
  }

  // biome-ignore lint/correctness/useYield: long results are read in pages.
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('queries are not streamed')
  }

  async begin(): Promise<void> {
    await this.#gate.close()
    try {
      await this.#connection.execute('begin immediate', [])
      this.#isInTransaction = true
    } catch (error) {
      this.#gate.open()
      throw error
    }
  }

  /** Kysely rolls back after a commit that failed; by then the transaction is over, and the next one may have begun. */
  async end(statement: 'commit' | 'rollback'): Promise<void> {
    if (!this.#isInTransaction) return
    try {
      await this.#connection.execute(statement, [])
    } catch (error) {
      await this.#connection.execute('rollback', []).catch(() => {}) // SQLite may have done it itself
      throw error
    } finally {
      this.#isInTransaction = false
      this.#gate.open()
    }
  }
}

/**
 * A mutex that one transaction holds while it is open. Queries outside of transactions do not exclude each other: the
 * database runs one after the other anyway.
 */
class Gate {
  #opened: Promise<void> | undefined
  #open = () => {}

  async pass<T>(work: () => Promise<T>): Promise<T> {
    while (this.#opened !== undefined) await this.#opened
    return work()
  }

  async close(): Promise<void> {
    while (this.#opened !== undefined) await this.#opened
    this.#opened = new Promise(resolve => {
      this.#open = resolve
    })
  }

  open(): void {
    this.#opened = undefined
    this.#open()
  }
}
