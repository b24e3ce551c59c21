import { framesOf } from '../errors/public-error.js'
import type { Clock } from '../ground/clock.js'
import type { Logger } from '../ground/logger.js'
import type { EventRepository } from '../store/event-repository.js'
import type { IdempotencyRepository } from '../store/idempotency-repository.js'
import type { KeyRepository } from '../store/key-repository.js'
import { servicesOf } from '../store/tables.js'
import type { RedemptionRepository } from '../store/token-repositories.js'
import type { AbandonedTokens } from './abandoned-tokens.js'
import type { PlausibleClock } from './plausible-clock.js'

const DAY_MS = 86_400_000
const EVERY_MS = 60_000
/** Rows per step, with a pause after each step, so that token requests are not delayed. */
const STEP = 500
const PAUSE_MS = 20
/** Expired keys are invisible, but can still be recovered after a wrong date or a wrong clock. */
const KEYS_KEPT_MS = 30 * DAY_MS

/**
 * Deletes events that are older than the retention, stored keys that expired long ago, the redemption counts of expired
 * tokens, and expired Idempotency-Keys, in small steps while the server runs. Before that it settles abandoned tokens.
 * All of it waits while the clock is not trusted.
 */
export class Retention {
  readonly #parts: RetentionParts
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  /** Sweeps run one after the other. */
  #lastSweep: Promise<void> = Promise.resolve()
  /** Callers who wait for a sweep. */
  #awaited = 0

  constructor(parts: RetentionParts) {
    this.#parts = parts
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await this.#lastSweep
  }

  /** Sweeps at once and without pauses, because a clock was changed: that of this customer, or that of all others. */
  async sweepNow(customerId?: number): Promise<void> {
    this.#awaited += 1
    try {
      const { clock, plausible } = this.#parts
      await this.#inTurn(async () => {
        // A time that was set on purpose needs no trust.
        if (clock.isSet(customerId) || (await plausible.isTrusted())) await this.#sweep(customerId)
      })
    } finally {
      this.#awaited -= 1
    }
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      await this.#inTurn(() => this.#sweepAll())
      await this.#wait(EVERY_MS)
    }
  }

  #inTurn(sweep: () => Promise<void>): Promise<void> {
    this.#lastSweep = this.#lastSweep.then(() => this.#attempt(sweep))
    return this.#lastSweep
  }

  async #sweepAll(): Promise<void> {
    const { clock, plausible } = this.#parts
    // The time that is trusted or not, and no later one.
    const present = clock.now()
    const isTrusted = await plausible.isTrusted()
    if (isTrusted || clock.isSet()) await this.#sweep(undefined, present)
    for (const customerId of clock.customersApart) await this.#sweep(customerId)
  }

  /** What is of this customer, or of all who have no time of their own. */
  async #sweep(customerId?: number, present = this.#parts.clock.now(customerId)): Promise<void> {
    const { clock, abandoned, events, idempotency, keys, redemptions, days } = this.#parts
    const services =
      customerId === undefined ? { except: servicesOf(clock.customersApart) } : { only: servicesOf([customerId]) }
    await this.#inSteps(() => abandoned.settle(STEP, services, customerId))
    await this.#inSteps(() => keys.removeExpired(services, present - KEYS_KEPT_MS, STEP))
    await this.#inSteps(() => redemptions.removeExpired(services, present, STEP))
    await this.#inSteps(() => idempotency.removeExpired(services, present, STEP))
    if (days === 0) return
    const range = { moment: present - days * DAY_MS, now: present }
    for (const service of await events.services(services))
      await this.#inSteps(() => events.removeOldest(service, range, STEP))
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    await work().catch((error: Error) =>
      this.#parts.logger.error({ error: error.name, stack: framesOf(error) }, 'expired data could not be deleted'),
    )
  }

  /** A step that fails does not stop the others. */
  async #inSteps(step: () => Promise<number>): Promise<void> {
    await this.#attempt(async () => {
      while (!this.#isStopping && (await step()) >= STEP) if (this.#awaited === 0) await this.#wait(PAUSE_MS)
    })
  }

  /** Ends early when the server stops, and does not keep the process alive. */
  async #wait(milliseconds: number): Promise<void> {
    await this.#parts.clock.sleep(milliseconds, { signal: this.#stopping.signal, isInBackground: true })
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted
  }
}

export interface RetentionParts {
  readonly abandoned: AbandonedTokens
  readonly events: EventRepository
  readonly idempotency: IdempotencyRepository
  readonly keys: KeyRepository
  readonly redemptions: RedemptionRepository
  /** How many days the log reaches back; 0: unlimited. */
  readonly days: number
  readonly clock: Clock
  readonly plausible: PlausibleClock
  readonly logger: Logger
}
