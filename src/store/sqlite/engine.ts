import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import type { Engine } from '../engine.js'
import { type Connection, inlineConnection, threadConnection } from './connection.js'
import type { Value } from './database.js'

/** SQLite, inside this process: a file in a thread of its own, or a database that lives as long as the process. */
export async function sqliteEngine(path: string): Promise<Engine> {
  const connection = path === ':memory:' ? inlineConnection(path) : await threadConnection(path).catch(explain(path))
  const turns = new Turns()
  return {
    dialect: dialectOf(connection, turns),
    clustered: sql`without rowid`,
    async commit(entries) {
      // No group may come between the statements of somebody's transaction.
      await turns.take()
      try {
        return await connection.commit(entries)
      } finally {
        turns.pass()
      }
    },
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
    super(`DATABASE_URL: ${path} is in use by another process`)
    this.name = 'DatabaseInUse'
  }
}

function dialectOf(connection: Connection, turns: Turns): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new SqliteDriver(connection, turns),
    createIntrospector: db => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

class SqliteDriver implements Driver {
  readonly #connection: DatabaseConnection
  readonly #turns: Turns

  constructor(connection: Connection, turns: Turns) {
    this.#connection = queriesOn(connection)
    this.#turns = turns
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    await this.#turns.take()
    return this.#connection
  }

  async releaseConnection(): Promise<void> {
    this.#turns.pass()
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'))
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'))
  }

  async init(): Promise<void> {}

  async destroy(): Promise<void> {}
}

function queriesOn(connection: Connection): DatabaseConnection {
  return {
    async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      // Kysely types both from the tables, which have nothing but texts and numbers.
      const { rows, changes } = await connection.execute(sql, parameters as readonly Value[])
      return { rows: rows as R[], numAffectedRows: BigInt(changes) }
    },
    // biome-ignore lint/correctness/useYield: what is too long for one answer is asked for in pages.
    async *streamQuery() {
      throw new Error('queries are not streamed')
    },
  }
}

/** Lets one in at a time, in the order of their coming. */
class Turns {
  readonly #waiting: (() => void)[] = []
  #isTaken = false

  async take(): Promise<void> {
    if (this.#isTaken) await new Promise<void>(resolve => this.#waiting.push(resolve))
    this.#isTaken = true
  }

  pass(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#isTaken = false
    else next()
  }
}
