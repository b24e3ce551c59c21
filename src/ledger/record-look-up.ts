import { NEWEST, type RecordedEvent, type RecordRequest } from '../../schemas/records.js'
import type { Owner } from '../ground/environment.js'
import type { WrittenEvent } from '../store/engine.js'
import type { EventRepository } from '../store/event-repository.js'
import { type EventRow, serviceId } from '../store/tables.js'

/** Finds events of a customer's log (spec: records.md). */
export class RecordLookUp {
  readonly #events: EventRepository

  constructor(events: EventRepository) {
    this.#events = events
  }

  async find({ customerId, environment }: Owner, request: RecordRequest): Promise<RecordedEvent[]> {
    const rows = await this.#rows(serviceId(customerId, environment), request)
    return rows.map(recorded)
  }

  #rows(service: number, request: RecordRequest): Promise<EventRow[]> {
    switch (request.by) {
      case 'newest':
        return this.#events.newest(service, NEWEST)
      case 'cookie':
        return this.#events.newestWithCookie(service, request.cookie, NEWEST)
      case 'id':
        return this.#events.withId(service, request.id)
      case 'window':
        return this.#events.window(service, request.start, request.length)
      case 'number':
        return this.#events.following(service, request.after, request.limit)
      case 'time':
        return this.#events.between(service, request, request.limit)
    }
  }
}

/** An event as it is answered. */
export function recorded(row: EventRow): RecordedEvent {
  return { event_id: row.event_id, ...writtenEvent(row) }
}

/** The same without its number, which only the database knows when it is written. */
export function writtenEvent(row: WrittenEvent): Omit<RecordedEvent, 'event_id'> {
  return {
    time: new Date(row.time).toISOString(),
    event: row.event as RecordedEvent['event'], // a LedgerEvent's, as it was written
    drm: row.drm as RecordedEvent['drm'],
    ...(row.token_id !== null && { token_id: row.token_id }),
    kid: row.kids === '' ? [] : row.kids.split(','),
    ...(row.cookie !== null && { cookie: row.cookie }),
    ...(row.device_id !== null && { device_id: row.device_id }),
    ...(row.ip_address !== null && { ip_address: row.ip_address }),
    ...(row.rights_type !== null && { rights_type: row.rights_type }),
    error_code: row.error_code,
    request_id: row.request_id,
    ...(row.injected === 1 && { injected: true }),
  }
}
