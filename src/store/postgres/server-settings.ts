import type { Pool } from './pool.js'

/** In another encoding, a string with characters that it lacks would fail its whole group. */
export async function requireUnicode(pool: Pool): Promise<void> {
  const [row] = await pool.query<{ encoding: string }>("SELECT current_setting('server_encoding') AS encoding")
  const encoding = row?.encoding ?? 'none'
  if (encoding !== 'UTF8') throw new Error(`the encoding of the database must be UTF8, and is ${encoding}`)
}

/** Warnings for the operator: why answered tokens may be lost, or statements may fail at random. */
export async function warningsOf(pool: Pool): Promise<string[]> {
  const [one, other] = await Promise.all([pool.connect(), pool.connect()])
  try {
    const ask = async (client: typeof one) => (await client.query<Session>(SESSION)).rows[0]
    // Alternating: a pooler hands the same server session to whichever client queries next.
    const sessions = [await ask(one), await ask(other), await ask(one)]
    const [first, second, third] = sessions
    if (first === undefined) return []
    const warnings: string[] = []
    if (first.pid === second?.pid || first.pid !== third?.pid) warnings.push(POOLER)
    if (sessions.some(session => session?.isAsAsked !== true)) warnings.push(LOST_SETTINGS)
    for (const name of ['synchronous_commit', 'fsync'] as const)
      if (first[name] === 'off')
        warnings.push(`PostgreSQL runs with ${name}=off: tokens that were answered are lost when it crashes`)
    return warnings
  } finally {
    one.release()
    other.release()
  }
}

interface Session {
  readonly pid: number
  readonly isAsAsked: boolean
  readonly synchronous_commit: string
  readonly fsync: string
}

/** Shows whether a pooler has dropped the settings that a connection is opened with. */
const SESSION = `SELECT pg_backend_pid() AS pid,
  current_setting('lock_timeout') <> '0' AND current_setting('idle_in_transaction_session_timeout') <> '0'
    AND current_setting('statement_timeout') <> '0' AND current_setting('enable_nestloop') = 'off' AS "isAsAsked",
  current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync`

const POOLER =
  'DATABASE_URL leads to a pooler that shares sessions between connections, such as PgBouncer with pool_mode=transaction: ' +
  'prepared statements may fail there. Connect to PostgreSQL itself, or use pool_mode=session'

const LOST_SETTINGS =
  'the settings that our connections to PostgreSQL ask for are not in force (lock_timeout, statement_timeout, ' +
  'idle_in_transaction_session_timeout, options), because a pooler ignores them or DATABASE_URL has others: ' +
  'a process that freezes may keep a customer locked'
