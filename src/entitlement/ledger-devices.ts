import { orUnavailable } from '../errors/public-error.js'
import type { Owner } from '../ground/owner.js'
import type { EventRepository } from '../store/events.js'
import { serviceId } from '../store/tables.js'
import type { DeviceQuestion, Devices, RegisteredDevices } from './devices.js'

/** From our own log, where tokens are redeemed here. */
export class LedgerDevices implements Devices {
  readonly #events: EventRepository

  constructor(events: EventRepository) {
    this.#events = events
  }

  of({ customerId, environment }: Owner, question: DeviceQuestion): Promise<RegisteredDevices> {
    return orUnavailable(this.#find(serviceId(customerId, environment), question))
  }

  async #find(service: number, { cookie, first }: DeviceQuestion): Promise<RegisteredDevices> {
    const newest = await this.#events.newestDevice(service, cookie)
    if (newest === undefined || first === undefined) return { newest, first: [] }
    return { newest, first: await this.#events.firstDevices(service, cookie, first) }
  }
}
