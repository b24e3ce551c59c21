import type { Clock, Now } from '../ground/clock.js'
import type { Logger } from '../ground/logger.js'
import type { ClockMemory } from '../store/shared-settings.js'

const HOUR_MS = 3_600_000
/** The longest time that a service is plausibly stopped: over holidays. */
const LONGEST_STANDSTILL_MS = 7 * 24 * HOUR_MS
/** A clock that is farther ahead is trusted once it has run for this long without a correction. */
const CONFIRMED_AFTER_MS = 6 * HOUR_MS
/** Clocks that are synchronized (NTP) differ by much less. */
const MOST_AHEAD_OF_DATABASE_MS = 60_000

/**
 * Decides whether this machine's clock is trusted to delete expired data. A clock that is behind does no harm. A clock that
 * is ahead is detected: implausibly much time has passed since the database was last in use, or PostgreSQL's clock differs.
 */
export class PlausibleClock {
  readonly #parts: PlausibleClockParts
  /** When the clock was first found far ahead, in uptime. */
  #aheadSince: number | undefined
  #hasWarned = false
  /** How far this machine's clock is ahead of the database's; below 0, behind it. */
  #ahead = 0

  constructor(parts: PlausibleClockParts) {
    this.#parts = parts
  }

  /**
   * A time that all instances on one database agree on, however far their machines' clocks are apart. Valid once `compare`
   * was called.
   */
  readonly sharedNow: Now = customerId => this.#parts.now(customerId) - this.#ahead

  /** Measures the offset of this machine's clock from the database's. Returns the database's time, if it has a clock. */
  async compare(): Promise<number | undefined> {
    const { clock, memory } = this.#parts
    if (!clock.isMachineClock) return undefined
    const before = clock.now()
    const databaseTime = await memory.databaseTime()
    if (databaseTime !== undefined) this.#ahead = Math.round((before + clock.now()) / 2 - databaseTime)
    return databaseTime
  }

  /** Stores the time in the database when the clock is trusted. */
  async isTrusted(): Promise<boolean> {
    const { clock, memory } = this.#parts
    const time = clock.now()
    const lastSeen = await memory.lastSeen()
    const databaseTime = await this.compare()
    const isFarAhead = lastSeen !== undefined && time > lastSeen + LONGEST_STANDSTILL_MS
    this.#aheadSince = isFarAhead ? (this.#aheadSince ?? clock.uptime()) : undefined
    const isConfirmed = this.#aheadSince === undefined || clock.uptime() >= this.#aheadSince + CONFIRMED_AFTER_MS
    const agreesWithDatabase = databaseTime === undefined || time <= databaseTime + MOST_AHEAD_OF_DATABASE_MS
    if (isConfirmed && agreesWithDatabase) {
      this.#hasWarned = false
      await memory.remember(time)
      return true
    }
    this.#warnOnce({ clock: textOf(time), lastSeen: textOf(lastSeen), databaseClock: textOf(databaseTime) })
    return false
  }

  #warnOnce(times: object): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    this.#parts.logger.warn(
      times,
      'nothing that has expired is removed, because the clock of this machine may be wrong: it is far ahead of when ' +
        'the database was last in use, which is believed after six hours, or ahead of the clock of PostgreSQL',
    )
  }
}

export interface PlausibleClockParts {
  readonly memory: ClockMemory
  /** The machine's. */
  readonly clock: Clock
  /** The time here, which differs from the machine's where an emulator's was set: on purpose, so it is always plausible. */
  readonly now: Now
  readonly logger: Logger
}

function textOf(time: number | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString()
}
