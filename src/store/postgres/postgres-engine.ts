import { PostgresDialect } from 'kysely'
import type { Engine } from '../engine.js'
import { commitAlone, commitGroup } from './group-commit.js'
import { migrationPool, Pool } from './pool.js'
import { requireUnicode, warningsOf } from './server-settings.js'

const CONNECTIONS = 8
const GROUPS = 2
/** For services that another session has locked, so that no other group waits for a connection because of them. */
const ALONE = 2
/**
 * A group's statement is planned once, while the tables may still be empty and with no idea of the group's size. So
 * what only suits a few rows is ruled out.
 */
const PLANNED_FOR_ANY_SIZE = '-c enable_seqscan=off -c enable_nestloop=off'

/** PostgreSQL, shared by any number of instances. */
export async function postgresEngine(url: string): Promise<Engine> {
  const queries = new Pool(url, { max: CONNECTIONS })
  // Separate pools, so that no look-up delays a token.
  const groups = new Pool(url, { max: GROUPS, options: PLANNED_FOR_ANY_SIZE })
  const alone = new Pool(url, { max: ALONE, options: PLANNED_FOR_ANY_SIZE })
  const close = async () => {
    await Promise.all([queries.end(), groups.end(), alone.end()])
  }
  try {
    await requireUnicode(queries)
    return {
      dialect: new PostgresDialect({ pool: queries }),
      migrationDialect: new PostgresDialect({ pool: async () => migrationPool(url) }),
      clustered: undefined,
      isExclusive: false,
      warnings: await warningsOf(groups),
      commit: (entries, isAlone) => (isAlone ? commitAlone(alone, entries) : commitGroup(groups, entries)),
      readOnly: async () => {
        const [row] = await queries.query<{ readOnly: boolean }>(READ_ONLY)
        if (row?.readOnly !== true) return false
        for (const pool of [queries, groups, alone]) pool.discardConnections()
        return true
      },
      time: async () => {
        const [row] = await queries.query<{ time: number }>(TIME)
        return row?.time
      },
      close,
    }
  } catch (error) {
    await close()
    throw new Error(`DATABASE_URL: PostgreSQL cannot be used: ${textOf(error)}`, { cause: error })
  }
}

const READ_ONLY = `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS "readOnly"`
const TIME = 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS time'

/** A host with several addresses has one error for each. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(textOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}
