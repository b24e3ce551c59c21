import { fileURLToPath } from 'node:url'
import Database from 'libsql'
import pg from 'pg'
import { sampleParameters } from '../src/sample.js'

/** Each cookie is on this many events, whatever their number: a viewer's look-ups do not grow with the log. */
export const EVENTS_PER_COOKIE = 8

const BEGIN = Date.UTC(2026, 5, 1)

/** One event in a millisecond. */
export function timeOf(event: number): number {
  return BEGIN + event
}

const SERVICE = Number(sampleParameters.customerAuthenticator.split(',')[0]) * 2
const COLUMNS = 'service_id, event_id, time, event, drm, token_id, kids, cookie, rights_type, error_code, request_id'

/** Events as tokens would have written them, with the cookies of viewers who come again later. */
function rows(number: string, text: (number: string) => string, events: number): string {
  const viewer = `(${number} * 7919 % ${events}) / ${EVENTS_PER_COOKIE}`
  return `${SERVICE}, ${number}, ${BEGIN} + ${number}, 'token_issued', 'playready', 'token' || ${text(number)},
    '${sampleParameters.kid}', 'viewer-' || ${text(viewer)}, 'BuyToOwn', 0, 'request-' || ${text(number)}`
}

async function fill(url: string, events: number): Promise<void> {
  const counted = `UPDATE services SET last_event = ${events}, balance = balance - ${events} WHERE id = ${SERVICE}`
  if (url.startsWith('sqlite:')) return fillSqlite(url.slice('sqlite:'.length), events, counted)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const values = rows('n', number => `(${number})::text`, events)
  await client.query(`INSERT INTO events (${COLUMNS}) SELECT ${values} FROM generate_series(1::bigint, ${events}) AS n`)
  await client.query(counted)
  await client.query('VACUUM ANALYZE events')
  await client.end()
}

function fillSqlite(path: string, events: number, counted: string): void {
  const database = new Database(path)
  const values = rows('n', number => `(${number})`, events)
  const [index] = database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'events_by_cookie'").all() as {
    sql: string
  }[]
  // Sorting once is quicker than keeping an index of random cookies up to date.
  database.exec(`PRAGMA synchronous = OFF; DROP INDEX events_by_cookie; BEGIN;
    WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ${events})
    INSERT INTO events (${COLUMNS}) SELECT ${values} FROM counted;
    ${counted}; COMMIT; ${index?.sql}`)
  database.close()
}

/** `node fill-events.js <database URL> <events>`: a process of its own, because a file has one at a time. */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , url = '', events = '0'] = process.argv
  await fill(url, Number(events))
}
