import { framesOf } from '../errors/public-error.js'
import type { Clock } from '../ground/clock.js'
import type { Logger } from '../ground/logger.js'
import type { EventRepository } from '../store/event-repository.js'
import type { IdempotencyRepository } from '../store/idempotency-repository.js'
import type { KeyRepository } from '../store/key-repository.js'
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

  constructor(parts: RetentionParts) {
    this.#parts = parts
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      await this.#attempt(() => this.#sweep())
      await this.#wait(EVERY_MS)
    }
  }

  async #sweep(): Promise<void> {
    const { clock, plausible, abandoned, events, idempotency, keys, redemptions, days } = this.#parts
    const present = clock.now()
    if (!(await plausible.isTrusted())) return
    await this.#inSteps(() => abandoned.settle(STEP))
    await this.#inSteps(() => keys.removeExpired(present - KEYS_KEPT_MS, STEP))
    await this.#inSteps(() => redemptions.removeExpired(present, STEP))
    await this.#inSteps(() => idempotency.removeExpired(present, STEP))
    if (days === 0) return
    const range = { moment: present - days * DAY_MS, now: present }
    for (const service of await events.services()) await this.#inSteps(() => events.removeOldest(service, range, STEP))
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    await work().catch((error: Error) =>
      this.#parts.logger.error({ error: error.name, stack: framesOf(error) }, 'expired data could not be deleted'),
    )
  }

  /** A step that fails does not stop the others. */
  async #inSteps(step: () => Promise<number>): Promise<void> {
    await this.#attempt(async () => {
      while (!this.#isStopping && (await step()) >= STEP) await this.#wait(PAUSE_MS)
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
