import type { KeyOwner } from '../keys/key-storage.js'
import type { EventRepository } from '../store/events.js'
import { serviceId } from '../store/tables.js'
import type { Devices, RegisteredDevices } from './devices.js'

/** From our own log, where tokens are redeemed here. */
export class LedgerDevices implements Devices {
  readonly #events: EventRepository

  constructor(events: EventRepository) {
    this.#events = events
  }

  async of({ customerId, environment }: KeyOwner, cookie: string): Promise<RegisteredDevices> {
    const devices = await this.#events.devicesWithCookie(serviceId(customerId, environment), cookie)
    const newest = devices.reduce<(typeof devices)[number] | undefined>(
      (best, device) => (best === undefined || device.last > best.last ? device : best),
      undefined,
    )
    return { newest: newest?.device_id, inOrder: devices.map(({ device_id }) => device_id) }
  }
}
