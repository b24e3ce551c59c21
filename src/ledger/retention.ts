import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Now } from '../../schemas/rules.js'
import { framesOf } from '../errors.js'
import type { EventRepository } from '../store/events.js'

const DAY_MS = 86_400_000
const EVERY_MS = 60_000
/** So many go at once, with a pause after them: nobody who asks for a token shall notice. */
const STEP = 500
const PAUSE_MS = 20

/** Removes events that are older than the log shall reach back, in small steps, for as long as the server runs. */
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
        logger.error({ error: error.name, stack: framesOf(error) }, 'old events could not be removed'),
      )
      await this.#wait(EVERY_MS)
    }
  }

  async #sweep(): Promise<void> {
    const { events, days, now } = this.#parts
    const moment = now() - days * DAY_MS
    for (const service of await events.services()) {
      while (!this.#isStopping && (await events.removeOldest(service, moment, STEP)) === STEP)
        await this.#wait(PAUSE_MS)
    }
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
  readonly days: number
  readonly now: Now
  readonly logger: Logger
}
