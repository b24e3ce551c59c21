import type { Clock } from '../ground/clock.js'

/** A caller's rate limit status after a request. */
export interface RateLimitStatus {
  readonly limit: number
  /** How many requests it may still send in this minute. */
  readonly remaining: number
  /** Whole seconds until the next minute begins. */
  readonly resetSeconds: number
  /** This request was over the limit. */
  readonly isOver: boolean
}

const MINUTE = 60_000
/** A flood from many addresses must not fill the memory. */
const MOST_CALLERS = 100_000

/**
 * Counts requests by caller. A minute is the same for all of them and begins with the first request after the one
 * before has ended, so nothing has to be swept: all counts are dropped at once. A minute with too many callers ends early.
 */
export class RequestsPerMinute<Caller> {
  readonly #clock: Clock
  #counts = new Map<Caller, number>()
  #endsAt = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  count(caller: Caller, limit: number): RateLimitStatus {
    const now = this.#clock.uptime()
    const before = this.#countedBefore(caller, now)
    const isOver = before >= limit
    // What is refused is not counted.
    const counted = isOver ? before : before + 1
    this.#counts.set(caller, counted)
    return {
      limit,
      remaining: Math.max(0, limit - counted),
      resetSeconds: Math.ceil((this.#endsAt - now) / 1000),
      isOver,
    }
  }

  #countedBefore(caller: Caller, now: number): number {
    if (now >= this.#endsAt) this.#begin(now)
    const before = this.#counts.get(caller)
    if (before === undefined && this.#counts.size >= MOST_CALLERS) this.#begin(now)
    return before ?? 0
  }

  #begin(now: number): void {
    this.#counts = new Map()
    this.#endsAt = now + MINUTE
  }
}
