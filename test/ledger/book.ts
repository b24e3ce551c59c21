import { constants } from 'node:fs'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import pg from 'pg'
import type { Test } from 'tap'
import { serviceId } from '../../src/store/tables.js'
import { uuidOf } from '../harness.js'
import type { Customer } from './service.js'

/** A customer's balance and log, as the database has them at one moment. */
export interface Book {
  readonly balance: number
  readonly lastEvent: number
  /** In the order of their ids. */
  readonly events: readonly BookedEvent[]
}

export interface BookedEvent {
  readonly event_id: number
  readonly event: string
  readonly token_id: string | null
  readonly error_code: number
  readonly request_id: string
}

/** Reads a customer's book. Of an SQLite file nobody may be writing to it meanwhile. */
export async function readBook(databaseUrl: string, customer: Customer): Promise<Book> {
  const service = serviceId(customer.id, 'test')
  const { services, events } = await (databaseUrl.startsWith('sqlite:')
    ? readSqlite(databaseUrl.slice('sqlite:'.length), service)
    : readPostgres(databaseUrl, service))
  const [row] = services
  if (row === undefined) throw new Error(`customer ${customer.id} is not in the database`)
  return { balance: row.balance, lastEvent: row.last_event, events }
}

/** That a customer's book agrees with itself and with the tokens that were answered. */
export async function checkBook(
  t: Test,
  databaseUrl: string,
  customer: Customer,
  answered: readonly string[],
  when = 'at the end',
): Promise<Book> {
  const book = await readBook(databaseUrl, customer)
  const found = contradictions(book, customer, answered)
  t.same(found, [], `${when}: ${answered.length} tokens answered, ${book.events.length} events booked`)
  return book
}

/** Everything in which a book and the tokens that were answered contradict each other, as sentences. */
function contradictions(book: Book, { balance }: Customer, answered: readonly string[]): string[] {
  const issued = book.events.filter(({ event }) => event === 'token_issued')
  const booked = new Set(issued.map(({ token_id }) => token_id))
  const gaps = book.events.filter(({ event_id }, index) => event_id !== index + 1)
  const missing = answered.filter(token => !booked.has(uuidOf(token)))
  const found: [isSo: boolean, sentence: string][] = [
    [gaps.length > 0, `the event ids have a gap at ${gaps[0]?.event_id}`],
    [book.lastEvent !== book.events.length, `${book.events.length} events, but ${book.lastEvent} were counted`],
    [booked.has(null), 'a token was booked without its id'],
    [booked.size !== issued.length, `${issued.length - booked.size} tokens were booked twice`],
    [new Set(answered).size !== answered.length, 'a token was answered twice'],
    [missing.length > 0, `${missing.length} answered tokens are not booked`],
    [
      book.balance !== balance - issued.length,
      `of ${balance} tokens ${issued.length} were booked, but ${book.balance} are left`,
    ],
  ]
  return found.filter(([isSo]) => isSo).map(([, sentence]) => sentence)
}

interface Rows {
  readonly services: readonly { readonly balance: number; readonly last_event: number }[]
  readonly events: readonly BookedEvent[]
}

const servicesOf = (service: number) => `SELECT balance, last_event FROM services WHERE id = ${service}`
const eventsOf = (service: number) => `
  SELECT event_id, event, token_id, error_code, request_id FROM events WHERE service_id = ${service} ORDER BY event_id`

/** Reads a copy, so that what a killed process left behind stays as it is for the next one. */
async function readSqlite(path: string, service: number): Promise<Rows> {
  const folder = await mkdtemp(join(tmpdir(), 'book-'))
  const copy = join(folder, 'copy.db')
  try {
    await copyFile(path, copy, constants.COPYFILE_FICLONE)
    await copyFile(`${path}-wal`, `${copy}-wal`, constants.COPYFILE_FICLONE).catch(ignoreMissing)
    const database = new Database(copy)
    const all = (statement: string) => database.prepare(statement).all([])
    // The casts, here and below: what the statements select.
    const rows = { services: all(servicesOf(service)), events: all(eventsOf(service)) } as Rows
    database.close()
    return rows
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function readPostgres(url: string, service: number): Promise<Rows> {
  const types: pg.CustomTypesConfig = {
    getTypeParser: (oid, format) => (oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format)),
  }
  const client = new pg.Client({ connectionString: url, types })
  await client.connect()
  try {
    // One snapshot for both: a statement of a process that was killed may still be at work.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const services = await client.query(servicesOf(service))
    const events = await client.query(eventsOf(service))
    return { services: services.rows, events: events.rows } as Rows
  } finally {
    await client.end()
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
