import type { Logger } from 'pino'
import type { DeviceQuestion, Devices, RegisteredDevices } from '../entitlement/devices.js'
import { EntitlementRefusal } from '../errors/entitlement-refusal.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import type { Owner } from '../ground/owner.js'
import { UpstreamFailure } from './failure.js'
import { RecordServer, type RecordServerSettings, type UpstreamRecord } from './record-server.js'

export interface UpstreamDevicesParts {
  readonly settings: RecordServerSettings & { readonly records: Readonly<Record<Environment, URL>> }
  readonly authenticatorOf: (customerId: number, environment: Environment) => string
  readonly logger: Logger
}

/**
 * From the real service's log, where tokens are redeemed there. It tells no more than the newest 32 events of a
 * cookie, so a device that is not among them is not known any more.
 */
export class UpstreamDevices implements Devices {
  readonly #parts: UpstreamDevicesParts
  readonly #servers: Readonly<Record<Environment, RecordServer>>

  constructor(parts: UpstreamDevicesParts) {
    const { settings } = parts
    this.#parts = parts
    this.#servers = {
      test: new RecordServer(settings.records.test, settings),
      production: new RecordServer(settings.records.production, settings),
    }
  }

  async of({ customerId, environment }: Owner, question: DeviceQuestion): Promise<RegisteredDevices> {
    const { cookie, first = 0, requestId } = question
    const authenticator = this.#parts.authenticatorOf(customerId, environment)
    try {
      const events = await this.#servers[environment].withCookie(cookie, authenticator)
      return devicesIn(events, first)
    } catch (failure) {
      if (!(failure instanceof UpstreamFailure)) throw failure
      const { kind, reason, retryAfter = RETRY_SECONDS } = failure
      this.#parts.logger.warn(
        { requestId, environment, customerId, failure: kind, reason },
        'the upstream did not tell its log',
      )
      throw new EntitlementRefusal('devicesUnknown', { retryAfter })
    }
  }

  /** For when nothing is asked any more. */
  async close(): Promise<void> {
    await Promise.all(ENVIRONMENTS.map(environment => this.#servers[environment].close()))
  }
}

/** A replay has no log of the real service to look into. */
export const noDevices: Devices = {
  of: async () => {
    throw new EntitlementRefusal('devicesUnknown', { status: 200, details: 'a replay has no log of redemptions' })
  },
}

/** When it is worth to ask again, where the upstream does not say. */
const RETRY_SECONDS = 1

/** One that is none might hide the device that came last. */
function idOf(device: string): string {
  if (/^[0-9A-Fa-f]{32}$/.test(device)) return device.toLowerCase()
  throw new UpstreamFailure('no answer', { reason: 'device_id' })
}

function devicesIn(events: readonly UpstreamRecord[], first: number): RegisteredDevices {
  const devices = events
    .filter(({ event }) => event === 'token_redeemed')
    .sort((one, other) => one.event_id - other.event_id)
    .flatMap(({ device_id }) => (typeof device_id === 'string' ? idOf(device_id) : []))
  return { newest: devices.at(-1), first: [...new Set(devices)].slice(0, first) }
}
