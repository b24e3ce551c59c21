import { PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Engine, Entry } from '../engine.js'
import { commitStatement, refusedPlaces, valuesOf } from './group-statement.js'

const CONNECTIONS = 8
/** After this long an unanswered question is a failed one: whoever waits for it gets its 503. */
const PATIENCE_MS = 5000

/** PostgreSQL, shared by any number of instances. */
export function postgresEngine(url: string): Engine {
  const queries = poolOf(url, CONNECTIONS)
  // Of its own, so that no look-up holds up a token.
  const groups = poolOf(url, 1)
  return {
    dialect: new PostgresDialect({ pool: queries }),
    clustered: undefined,
    async commit(entries: readonly Entry[]) {
      const { rows } = await groups.query({ name: 'commit-group', text: commitStatement, values: valuesOf(entries) })
      return refusedPlaces(rows, entries.length)
    },
    close: async () => {
      await Promise.all([queries.end(), groups.end()])
    },
  }
}

function poolOf(url: string, max: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    application_name: 'expressplay-token-backend',
    connectionTimeoutMillis: PATIENCE_MS,
    query_timeout: PATIENCE_MS,
    statement_timeout: PATIENCE_MS,
    keepAlive: true,
    types: { getTypeParser: (oid, format) => (oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) },
  })
  // An idle connection that breaks: the pool forgets it, and the next question opens another.
  pool.on('error', () => {})
  return pool
}

/** Whole numbers of 64 bits: ours never leave what a JavaScript number holds exactly. */
const INT8 = pg.types.builtins.INT8
