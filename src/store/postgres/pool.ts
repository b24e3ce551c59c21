import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import pg from 'pg'

/** A query without an answer for this long has failed: its request gets a 503. */
const TIMEOUT_MS = 5000
/** Statements time out on the server, and idle connections close, before the connection counts as dead. */
const SERVER_TIMEOUT_MS = 4000
/** How long a statement waits for a row that another session has locked. */
const LOCK_TIMEOUT_MS = 1000
/** How long a process that freezes inside a transaction can hold its locks. */
const IDLE_IN_TRANSACTION_MS = 3000
/** Migrations may wait for locks and run long statements, but must not idle between them. */
const IDLE_IN_MIGRATION_MS = 30_000
/** The error code of a write to a server that is not, or no longer, the primary. */
const READ_ONLY = '25006'

/**
 * Connections that are discarded together when their server turns out to be read-only. New ones go to whatever the URL
 * resolves to by then: after a failover, the new primary.
 */
export class Pool {
  readonly #make: () => pg.Pool
  #pool: pg.Pool
  readonly #ending = new Set<Promise<void>>()

  constructor(url: string, settings: pg.PoolConfig) {
    this.#make = () => this.#watched(servingPool(url, settings))
    this.#pool = this.#make()
  }

  connect(): Promise<pg.PoolClient> {
    return this.#pool.connect()
  }

  async query<Row extends pg.QueryResultRow>(query: string | pg.QueryConfig): Promise<Row[]> {
    const { rows } = await this.#pool.query<Row>(query)
    return rows
  }

  async end(): Promise<void> {
    await Promise.all([this.#pool.end(), ...this.#ending])
  }

  /** A connection in use ends when it is released. */
  discardConnections(): void {
    const ending = this.#pool.end().finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
    this.#pool = this.#make()
  }

  #watched(pool: pg.Pool): pg.Pool {
    pool.on('connect', client => {
      // Every error of every statement passes here.
      client.connection.on('errorMessage', ({ code }: pg.DatabaseError) => {
        if (code === READ_ONLY && pool === this.#pool) this.discardConnections()
      })
    })
    return pool
  }
}

/** Its connections have no statement or lock timeout. */
export function migrationPool(url: string): pg.Pool {
  return poolOf(url, { idle_in_transaction_session_timeout: IDLE_IN_MIGRATION_MS })
}

function servingPool(url: string, settings: pg.PoolConfig): pg.Pool {
  const pool = poolOf(url, {
    statement_timeout: SERVER_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    idleTimeoutMillis: SERVER_TIMEOUT_MS,
    ...settings,
  })
  pool.on('connect', client => destroyWhenSilent(client.connection.stream))
  return pool
}

function poolOf(url: string, settings: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'expressplay-token-backend',
    connectionTimeoutMillis: TIMEOUT_MS,
    keepAlive: true,
    types: { getTypeParser: (oid, format) => (oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) },
    ...settings,
  })
  // An idle connection broke: the pool has removed it, and the next query opens another.
  pool.on('error', () => {})
  // A connection broke in use: its query fails, and that is enough.
  pool.on('connect', client => client.on('error', () => {}))
  return pool
}

/**
 * Closes a connection that received nothing for too long, in use or idle: its other end may be gone without closing it.
 */
function destroyWhenSilent(stream: Duplex): void {
  if (stream instanceof Socket) stream.setTimeout(TIMEOUT_MS, () => stream.destroy(new Error('PostgreSQL is silent')))
}

/** Whole numbers of 64 bits: ours never leave what a JavaScript number holds exactly. */
const INT8 = pg.types.builtins.INT8
