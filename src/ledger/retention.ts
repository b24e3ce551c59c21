import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Now } from '../../schemas/rules.js'
import { framesOf } from '../errors.js'
import type { EventRepository } from '../store/events.js'
import type { KeyRepository } from '../store/keys.js'
import type { RedemptionRepository } from '../store/redemptions.js'

const DAY_MS = 86_400_000
const EVERY_MS = 60_000
/** So many go at once, with a pause after them: nobody who asks for a token shall notice. */
const STEP = 500
const PAUSE_MS = 20

/**
 * Removes events that are older than the log shall reach back, stored keys that have expired, and the counts of
 * expired tokens, in small steps, for as long as the server runs.
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
    const { logger } = this.#parts
    while (!this.#isStopping) {
      await this.#sweep().catch((error: Error) =>
        logger.error({ error: error.name, stack: framesOf(error) }, 'what is old could not be removed'),
      )
      await this.#wait(EVERY_MS)
    }
  }

  async #sweep(): Promise<void> {
    const { events, keys, redemptions, days, now } = this.#parts
    await this.#inSteps(() => keys.removeExpired(now(), STEP))
    await this.#inSteps(() => redemptions.removeExpired(now(), STEP))
    if (days === 0) return
    const moment = now() - days * DAY_MS
    for (const service of await events.services()) await this.#inSteps(() => events.removeOldest(service, moment, STEP))
  }

  async #inSteps(remove: () => Promise<number>): Promise<void> {
    while (!this.#isStopping && (await remove()) >= STEP) await this.#wait(PAUSE_MS)
  }

  /** Ends early when the server stops, and never keeps a process alive. */
  async #wait(milliseconds: number): Promise<void> {
    await pause(milliseconds, undefined, { signal: this.#stopping.signal, ref: false }).catch(() => {})
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted
  }
}

export interface RetentionParts {
  readonly events: EventRepository
  readonly keys: KeyRepository
  readonly redemptions: RedemptionRepository
  /** How far back the log reaches; 0: for ever. */
  readonly days: number
  readonly now: Now
  readonly logger: Logger
}
