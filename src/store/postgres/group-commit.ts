import pg from 'pg'
import type { Entry, Uncovered } from '../engine.js'
import { groupStatement, havePayments, unlockedGroupStatement } from './group-statement.js'
import type { Pool } from './pool.js'

/** The error code of a lock that was not released within `lock_timeout`. */
const LOCKED = '55P03'

/** A service that stays locked does not fail the group: the others are written without it. */
export async function commitGroup(pool: Pool, entries: readonly Entry[]): Promise<readonly Uncovered[]> {
  if (havePayments(entries)) return commitPayments(pool, entries)
  try {
    return await pool.query<Uncovered>(groupStatement(entries))
  } catch (error) {
    if (!isLocked(error)) throw error
    return pool.query<Uncovered>(unlockedGroupStatement(entries))
  }
}

/** The entries of one service, which was locked before. */
export async function commitAlone(pool: Pool, entries: readonly Entry[]): Promise<readonly Uncovered[]> {
  if (havePayments(entries)) return commitPayments(pool, entries)
  try {
    return await pool.query<Uncovered>(groupStatement(entries))
  } catch (error) {
    if (!isLocked(error)) throw error
    return entries.map((_entry, place) => ({ place, why: 'locked' }))
  }
}

/**
 * Whether a redemption is its token's first, and has to pay, is only known under the lock of its service. A statement sees
 * the database as it was when it began, before it waited for a lock, so another statement takes the locks first.
 */
async function commitPayments(pool: Pool, entries: readonly Entry[]): Promise<readonly Uncovered[]> {
  const client = await pool.connect()
  let isCommitted = false
  try {
    const services = await lockServices(client, entries)
    const places = [...entries.keys()]
    const reached = places.filter(place => services.has(at(entries, place).service_id))
    const left = places.filter(place => !services.has(at(entries, place).service_id))
    const { rows } = await client.query<Uncovered>(groupStatement(reached.map(place => at(entries, place))))
    await client.query('COMMIT')
    isCommitted = true
    return [
      ...rows.map(({ place, why }) => ({ place: at(reached, place), why })),
      ...left.map(place => ({ place, why: 'locked' as const })),
    ]
  } finally {
    // A connection that is closed rolls back.
    client.release(!isCommitted)
  }
}

const LOCK = 'SELECT id FROM services WHERE id = ANY ($1) ORDER BY id FOR UPDATE'

/** Begins a transaction with the locks of the entries' services, but for those that stay locked by another session. */
async function lockServices(client: pg.PoolClient, entries: readonly Entry[]): Promise<ReadonlySet<number>> {
  const services = [...new Set(entries.map(({ service_id }) => service_id))]
  const lock = async (statement: string) => {
    await client.query('BEGIN')
    const { rows } = await client.query<{ id: number }>(statement, [services])
    return new Set(rows.map(({ id }) => id))
  }
  try {
    return await lock(LOCK)
  } catch (error) {
    if (!isLocked(error)) throw error
    await client.query('ROLLBACK')
    return lock(`${LOCK} SKIP LOCKED`)
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === LOCKED
}

/** The element at a place that was counted before. */
function at<T>(list: readonly T[], place: number): T {
  return list[place] as T
}
