import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Engine, Entry, Uncovered } from '../engine.js'
import { statementFor } from './group-statement.js'

const CONNECTIONS = 8
const GROUPS = 2
/**
 * A group's statement is planned once, while the tables may still be empty and with no idea of the group's size. So
 * what only suits a few rows is ruled out.
 */
const PLANNED_FOR_ANY_SIZE = '-c enable_seqscan=off -c enable_nestloop=off'
/** After this long an unanswered question is a failed one: whoever waits for it gets its 503. */
const PATIENCE_MS = 5000
/** The server gives up, and an idle connection ends, before it looks as if the other end were gone. */
const SHORTER_MS = 4000

/** PostgreSQL, shared by any number of instances. */
export async function postgresEngine(url: string): Promise<Engine> {
  const queries = poolOf(url, CONNECTIONS)
  // Of its own, so that no look-up holds up a token.
  const groups = poolOf(url, GROUPS, { options: PLANNED_FOR_ANY_SIZE })
  try {
    await requireUnicode(queries)
  } catch (error) {
    await queries.end()
    throw new Error(`DATABASE_URL: PostgreSQL cannot be used: ${textOf(error)}`, { cause: error })
  }
  return {
    dialect: new PostgresDialect({ pool: queries }),
    patientDialect: new PostgresDialect({ pool: async () => patientPoolOf(url) }),
    clustered: undefined,
    isExclusive: false,
    async commit(entries: readonly Entry[]) {
      const { rows } = await groups.query<Uncovered>(statementFor(entries))
      return rows
    },
    close: async () => {
      await Promise.all([queries.end(), groups.end()])
    },
  }
}

function poolOf(url: string, max: number, limits: pg.PoolConfig = {}): pg.Pool {
  const pool = patientPoolOf(url, { max, statement_timeout: SHORTER_MS, idleTimeoutMillis: SHORTER_MS, ...limits })
  pool.on('connect', client => endWhenSilent(client.connection.stream))
  return pool
}

function patientPoolOf(url: string, limits: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'expressplay-token-backend',
    connectionTimeoutMillis: PATIENCE_MS,
    keepAlive: true,
    types: { getTypeParser: (oid, format) => (oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) },
    ...limits,
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

/** In another encoding a text that it has no characters for would fail the whole group that it is in. */
async function requireUnicode(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ encoding: string }>("select current_setting('server_encoding') as encoding")
  const [{ encoding } = { encoding: 'none' }] = rows
  if (encoding !== 'UTF8') throw new Error(`the encoding of the database must be UTF8, and is ${encoding}`)
}

/** Of a host with several addresses each has failed in its own way. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(textOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}

/** Whole numbers of 64 bits: ours never leave what a JavaScript number holds exactly. */
const INT8 = pg.types.builtins.INT8
