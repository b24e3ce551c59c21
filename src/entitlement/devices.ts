import { orUnavailable } from '../errors/public-error.js'
import type { Owner } from '../ground/environment.js'
import type { EventRepository } from '../store/event-repository.js'
import { serviceId } from '../store/tables.js'

/** The devices that have redeemed a token under a cookie. */
export interface Devices {
  /** Throws the documented error when the log is unavailable. */
  of(owner: Owner, question: DeviceQuestion): Promise<RegisteredDevices>
  close?(): Promise<void>
}

export interface DeviceQuestion {
  readonly cookie: string
  /** How many of the first devices to return; none when it is not given. */
  readonly first?: number | undefined
  readonly requestId: string
}

export interface RegisteredDevices {
  /** The device of the newest redemption that reported a device id. */
  readonly newest: string | undefined
  /** The first devices, the oldest first. */
  readonly first: readonly string[]
}

/** From our own log, where tokens are redeemed here. */
export class LedgerDevices implements Devices {
  readonly #events: EventRepository

  constructor(events: EventRepository) {
    this.#events = events
  }

  async of({ customerId, environment }: Owner, question: DeviceQuestion): Promise<RegisteredDevices> {
    return orUnavailable(this.#find(serviceId(customerId, environment), question))
  }

  async #find(service: number, { cookie, first }: DeviceQuestion): Promise<RegisteredDevices> {
    const newest = await this.#events.newestDevice(service, cookie)
    if (newest === undefined || first === undefined) return { newest, first: [] }
    return { newest, first: await this.#events.firstDevices(service, cookie, first) }
  }
}
