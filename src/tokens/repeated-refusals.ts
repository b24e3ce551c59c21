import type { Clock } from '../ground/clock.js'
import type { Logger } from '../ground/logger.js'
import type { LedgerEvent } from '../ledger/ledger.js'
import type { Metrics } from '../metrics.js'

/** Refusals of one token for one reason that are logged per hour; its holder can cause any number of them. */
const MOST_WRITTEN = 3
const HOUR_MS = 3_600_000
/** Tokens and reasons that are counted. With more of them the hour ends early, which bounds the memory. */
const MOST_REMEMBERED = 20_000

/**
 * Decides which refused key requests are written to the transaction log. The others are counted: at once in the
 * metrics, and in one line of the process's log for an hour. The hour is the same for all tokens.
 */
export class RepeatedRefusals {
  readonly #parts: RepeatedRefusalsParts
  #counts = new Map<string, number>()
  #endsAt = Number.NEGATIVE_INFINITY
  #unwritten = 0
  #most: { readonly event: LedgerEvent; readonly refusals: number } | undefined

  constructor(parts: RepeatedRefusalsParts) {
    this.#parts = parts
  }

  /** Counts a refusal, and returns whether to write it to the log. */
  isWritten(event: LedgerEvent): boolean {
    const name = `${event.customerId} ${event.errorCode} ${event.tokenId}`
    const now = this.#parts.clock.elapsed()
    if (now >= this.#endsAt || (this.#counts.size >= MOST_REMEMBERED && !this.#counts.has(name))) {
      this.close()
      this.#endsAt = now + HOUR_MS
    }
    const count = (this.#counts.get(name) ?? 0) + 1
    this.#counts.set(name, count)
    if (count <= MOST_WRITTEN) return true
    this.#parts.metrics.refusalUnwritten()
    this.#unwritten += 1
    const refusals = count - MOST_WRITTEN
    if (refusals > (this.#most?.refusals ?? 0)) this.#most = { event, refusals }
    return false
  }

  /** Counts the refusals of one customer, or of all, from the beginning. */
  reset(customerId: number | undefined): void {
    const prefix = `${customerId} `
    if (customerId === undefined) this.close()
    else for (const name of this.#counts.keys()) if (name.startsWith(prefix)) this.#counts.delete(name)
  }

  /** Logs what was counted since the hour began, and begins again: at the end, and after the time was changed. */
  close(): void {
    if (this.#most !== undefined) {
      const { customerId, environment, tokenId, errorCode } = this.#most.event
      const most = { customerId, environment, tokenId, errorCode, refusals: this.#most.refusals }
      this.#parts.logger.warn({ refusals: this.#unwritten, most }, 'refusals were not written to the transaction log')
    }
    this.#counts = new Map()
    this.#endsAt = Number.NEGATIVE_INFINITY
    this.#unwritten = 0
    this.#most = undefined
  }
}

export interface RepeatedRefusalsParts {
  readonly metrics: Metrics
  readonly logger: Logger
  readonly clock: Clock
}
