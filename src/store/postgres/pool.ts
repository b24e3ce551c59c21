import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import pg from 'pg'

/** After this long an unanswered question is a failed one: whoever waits for it gets its 503. */
const PATIENCE_MS = 5000
/** The server gives up, and an idle connection ends, before it looks as if the other end were gone. */
const SHORTER_MS = 4000
/** Nobody waits longer for a row that another session has locked. */
const LOCK_MS = 1000
/** A process that freezes inside a transaction keeps what it has locked no longer than this. */
const IDLE_IN_TRANSACTION_MS = 3000
/** Migrations may wait, and their statements may take long, but not the process between them. */
const IDLE_IN_MIGRATION_MS = 30_000
/** The error code of a write that the server does not take, because it is no primary or no longer one. */
const READ_ONLY = '25006'

/**
 * Connections that are given up together when their server turns out to be read-only: the next ones are made to
 * whatever the URL leads to by then, which after a failover is the new primary.
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

  /** What is in use ends when it is given back. */
  letGo(): void {
    const ending = this.#pool.end().finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
    this.#pool = this.#make()
  }

  #watched(pool: pg.Pool): pg.Pool {
    pool.on('connect', client => {
      // Here every error of a statement passes, whoever has asked for it.
      client.connection.on('errorMessage', ({ code }: pg.DatabaseError) => {
        if (code === READ_ONLY && pool === this.#pool) this.letGo()
      })
    })
    return pool
  }
}

/** Of connections that wait for as long as it takes. */
export function patientPool(url: string): pg.Pool {
  return poolOf(url, { idle_in_transaction_session_timeout: IDLE_IN_MIGRATION_MS })
}

function servingPool(url: string, settings: pg.PoolConfig): pg.Pool {
  const pool = poolOf(url, {
    statement_timeout: SHORTER_MS,
    lock_timeout: LOCK_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    idleTimeoutMillis: SHORTER_MS,
    ...settings,
  })
  pool.on('connect', client => endWhenSilent(client.connection.stream))
  return pool
}

function poolOf(url: string, settings: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'expressplay-token-backend',
    connectionTimeoutMillis: PATIENCE_MS,
    keepAlive: true,
    types: { getTypeParser: (oid, format) => (oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) },
    ...settings,
  })
  // An idle connection that breaks: the pool forgets it, and the next question opens another.
  pool.on('error', () => {})
  // One that breaks in use: its question fails, and that is enough.
  pool.on('connect', client => client.on('error', () => {}))
  return pool
}

/**
 * A connection whose other end is gone without a word must not be asked again. Nor can those that are idle be trusted
 * when one is silent; so all end that were silent for too long, whether something was asked or not.
 */
function endWhenSilent(stream: Duplex): void {
  if (stream instanceof Socket) stream.setTimeout(PATIENCE_MS, () => stream.destroy(new Error('PostgreSQL is silent')))
}

/** Whole numbers of 64 bits: ours never leave what a JavaScript number holds exactly. */
const INT8 = pg.types.builtins.INT8
