import type Database from 'libsql'
import { type Entry, REFUSED } from '../engine.js'

interface Service {
  balance: number
  last_event: number
}

/** Writes a group of events in one transaction; of each service that it touches, balance and count are written once. */
export class GroupWriter {
  readonly #database: Database.Database
  // Made when the first group comes: before, there are no tables yet.
  #statements: ReturnType<typeof statements> | undefined

  constructor(database: Database.Database) {
    this.#database = database
  }

  commit(entries: readonly Entry[]): readonly number[] {
    this.#statements ??= statements(this.#database)
    const { begin, commit, insert, findService, updateService } = this.#statements
    const services = new Map<number, Service>()
    const refused: number[] = []
    begin.run()
    try {
      for (const [index, entry] of entries.entries()) {
        const service = services.get(entry.service_id) ?? serviceOf(findService.all([entry.service_id]))
        services.set(entry.service_id, service)
        const isCovered = entry.cost <= service.balance
        if (!isCovered) refused.push(index)
        else service.balance -= entry.cost
        service.last_event += 1
        insert.run(valuesOf(isCovered ? entry : { ...entry, ...REFUSED }, service.last_event))
      }
      for (const [id, { balance, last_event }] of services) updateService.run([balance, last_event, id])
      commit.run()
      return refused
    } catch (error) {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }
}

function statements(database: Database.Database) {
  return {
    begin: database.prepare('BEGIN IMMEDIATE'),
    commit: database.prepare('COMMIT'),
    findService: database.prepare('SELECT balance, last_event FROM services WHERE id = ?'),
    updateService: database.prepare('UPDATE services SET balance = ?, last_event = ? WHERE id = ?'),
    insert: database.prepare(`
      INSERT INTO events (service_id, event_id, time, event, drm, token_id, kids, cookie, device_id, ip_address,
        rights_type, error_code, request_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
  }
}

function serviceOf([row]: unknown[]): Service {
  if (row === undefined) throw new Error('an event of a service that does not exist')
  return row as Service // what the statement selects
}

function valuesOf(entry: Entry, eventId: number) {
  return [
    entry.service_id,
    eventId,
    entry.time,
    entry.event,
    entry.drm,
    entry.token_id,
    entry.kids,
    entry.cookie,
    entry.device_id,
    entry.ip_address,
    entry.rights_type,
    entry.error_code,
    entry.request_id,
  ]
}
