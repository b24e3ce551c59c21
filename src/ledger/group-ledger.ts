import type { Entry } from '../store/engine.js'
import type { EventRepository } from '../store/events.js'
import { serviceId } from '../store/tables.js'
import type { Ledger, LedgerEvent } from './ledger.js'

/** More than this do not go into one group: nobody shall wait long for the company. */
const LARGEST_GROUP = 256
/** With so many waiting, the database can't keep up, and more would only wait in vain. */
const MOST_WAITING = 20_000

/**
 * Requests that come together share a transaction: while one group is being committed the next one gathers. So
 * durability costs each of them one commit's time, not each commit one request.
 */
export class GroupLedger implements Ledger {
  readonly #events: EventRepository
  #waiting: Waiting[] = []
  #isBusy = false

  constructor(events: EventRepository) {
    this.#events = events
  }

  async recordIssue(event: LedgerEvent): Promise<'recorded' | 'balance used up'> {
    return (await this.#join(entryOf(event, 1))) ? 'recorded' : 'balance used up'
  }

  async append(event: LedgerEvent): Promise<void> {
    await this.#join(entryOf(event, 0))
  }

  #join(entry: Entry): Promise<boolean> {
    if (this.#waiting.length >= MOST_WAITING) return Promise.reject(new Error('too many wait for the ledger'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject })
      if (this.#isBusy) return
      this.#isBusy = true
      // After all requests that have arrived by now had their turn to join.
      setImmediate(() => void this.#commitGroups())
    })
  }

  async #commitGroups(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.length <= LARGEST_GROUP ? this.#waiting : this.#waiting.slice(0, LARGEST_GROUP)
      this.#waiting = this.#waiting.slice(group.length)
      await this.#commit(group)
    }
    this.#isBusy = false
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    try {
      const refused = await this.#events.commit(group.map(({ entry }) => entry))
      for (const [place, { resolve }] of group.entries()) resolve(!refused.includes(place))
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }
}

interface Waiting {
  readonly entry: Entry
  resolve(isCovered: boolean): void
  reject(error: unknown): void
}

function entryOf(event: LedgerEvent, cost: 0 | 1): Entry {
  return {
    service_id: serviceId(event.customerId, event.environment),
    cost,
    time: event.time,
    event: event.event,
    drm: event.drm,
    token_id: event.tokenId ?? null,
    kids: event.kids.join(','),
    cookie: event.cookie ?? null,
    device_id: event.deviceId ?? null,
    ip_address: event.ipAddress ?? null,
    rights_type: event.rightsType ?? null,
    error_code: event.errorCode,
    request_id: event.requestId,
  }
}
