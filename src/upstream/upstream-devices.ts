import * as z from 'zod'
import type { UpstreamSettings } from '../config/settings-upstream.js'
import { RemoteService } from '../connections/remote-service.js'
import { RequestFailure } from '../connections/request-failure.js'
import type { ReceivedAnswer } from '../connections/sent-request.js'
import type { DeviceQuestion, Devices, RegisteredDevices } from '../entitlement/devices.js'
import { EntitlementRefusal } from '../errors/entitlement-refusal.js'
import type { Clock } from '../ground/clock.js'
import type { Owner } from '../ground/environment.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import type { Logger } from '../ground/logger.js'
import { packageVersion } from '../ground/own-package.js'

export interface UpstreamDevicesParts {
  readonly settings: Pick<UpstreamSettings, 'records' | 'connections' | 'queue' | 'connectTimeout' | 'timeout'>
  readonly authenticatorOf: (customerId: number, environment: Environment) => string
  readonly clock: Clock
  readonly logger: Logger
}

const PATH = '/cmiapi/getrecord/'
/** Many times the size of 32 events. */
const MAX_ANSWER = 262_144
/** The Retry-After when the upstream sends none. */
const RETRY_SECONDS = 1

/**
 * Reads the devices from the real service's log, for tokens redeemed there. The log shows only the newest 32 events of
 * a cookie, so a device without an event among them is forgotten.
 */
export class UpstreamDevices implements Devices {
  readonly #parts: UpstreamDevicesParts
  readonly #logs: Readonly<Record<Environment, RemoteService>>

  constructor(parts: UpstreamDevicesParts) {
    const { clock } = parts
    const { records, connections, queue, connectTimeout, timeout } = parts.settings
    const common = { connections, queue, connectTimeout, timeout, largestAnswer: MAX_ANSWER, clock }
    this.#parts = parts
    this.#logs = {
      test: new RemoteService({ ...common, url: records.test }),
      production: new RemoteService({ ...common, url: records.production }),
    }
  }

  async of({ customerId, environment }: Owner, question: DeviceQuestion): Promise<RegisteredDevices> {
    const { cookie, first = 0, requestId } = question
    const authenticator = this.#parts.authenticatorOf(customerId, environment)
    const devices = devicesIn(await lookUp(this.#logs[environment], cookie, authenticator), cookie)
    if (!(devices instanceof RequestFailure))
      return { newest: devices.at(-1), first: [...new Set(devices)].slice(0, first) }
    const { kind, reason, retryAfter = RETRY_SECONDS } = devices
    const what = { requestId, environment, customerId, failure: kind, reason }
    this.#parts.logger.warn(what, 'the upstream did not tell its log')
    throw new EntitlementRefusal('devicesUnknown', { retryAfter })
  }

  /** Call it after the last look-up. */
  async close(): Promise<void> {
    await Promise.all(ENVIRONMENTS.map(environment => this.#logs[environment].close()))
  }
}

/** A replay has no access to the real service's log. */
export const noDevices: Devices = {
  of: async () => {
    throw new EntitlementRefusal('devicesUnknown', { status: 200, details: 'a replay has no log of redemptions' })
  },
}

function lookUp(log: RemoteService, cookie: string, authenticator: string) {
  const query = new URLSearchParams({ customerAuthenticator: authenticator, cookie, errorFormat: 'json' })
  const headers = ['accept', 'application/json', 'user-agent', `expressplay-token-backend/${packageVersion()}`]
  return log.ask({ method: 'GET', path: `${PATH}?${query}`, headers })
}

/** The relevant fields of a log event (spec: records.md). */
const record = z.object({
  // An unknown kind of event is no fault.
  event: z.string(),
  event_id: z.int(),
  cookie: z.string().nullish(),
  device_id: z.string().nullish(),
})
const records = z.object({ events: z.array(record) })

/** The devices that have redeemed a token with this cookie, the oldest redemption first. */
function devicesIn(answer: ReceivedAnswer | RequestFailure, cookie: string): readonly string[] | RequestFailure {
  if (answer instanceof RequestFailure) return answer
  const { status, retryAfter, body } = answer
  if (status !== 200) return new RequestFailure(kindOf(status), { reason: `HTTP_${status}`, retryAfter })
  const read = records.safeParse(jsonIn(body))
  if (!read.success) return new RequestFailure('no answer')
  const devices = read.data.events
    .filter(one => one.cookie === cookie && one.event === 'token_redeemed')
    .sort((one, other) => one.event_id - other.event_id)
    .flatMap(({ device_id }) => (typeof device_id === 'string' ? device_id.toLowerCase() : []))
  // An invalid id might hide the newest device.
  const areIds = devices.every(device => /^[0-9a-f]{32}$/.test(device))
  return areIds ? devices : new RequestFailure('no answer', { reason: 'device_id' })
}

function kindOf(status: number) {
  if (status === 429) return 'too many requests'
  return status >= 300 && status < 500 ? 'not accepted' : 'no answer'
}

function jsonIn(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}
