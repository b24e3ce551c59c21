/**
 * The time, in milliseconds since 1970. It is passed in, so that a test decides what time it is. An emulator may have
 * given one customer another time than the others.
 */
export type Now = (customerId?: number) => number

/** The source of time and timers. */
export interface Clock {
  readonly now: Now
  /** Monotonic milliseconds, independent of `now`. */
  readonly uptime: () => number
  /** Milliseconds for what callers are allowed in a span of time: the uptime, but for changes that were made to `now` on purpose. */
  readonly elapsed: Now
  /** Whether somebody has set `now` on purpose, for all customers or for this one. */
  isSet(customerId?: number): boolean
  /** The customers who have a time of their own. */
  readonly customersApart: readonly number[]
  /** Whether `now` is this machine's own clock, which can be compared with another machine's. */
  readonly isMachineClock: boolean
  /** Ends early when the signal says so. */
  sleep(milliseconds: number, options?: SleepOptions): Promise<void>
  /** These two do not keep the process alive. */
  after(milliseconds: number, work: () => void): Timer
  every(milliseconds: number, work: () => void): Timer
}

export interface SleepOptions {
  readonly signal?: AbortSignal
  /** It does not keep the process alive. */
  readonly isInBackground?: boolean
}

export interface Timer {
  cancel(): void
  /** Counts from now on again. */
  restart(): void
}

export interface ClockParts {
  readonly now?: (() => number) | undefined
  readonly uptime?: (() => number) | undefined
}

/** This machine's clock, but for what is given. Its timers run in real time. */
export function machineClock({ now = Date.now, uptime = () => performance.now() }: ClockParts = {}): Clock {
  return {
    now,
    uptime,
    elapsed: uptime,
    isSet: () => false,
    customersApart: [],
    isMachineClock: now === Date.now,
    sleep: (milliseconds, { signal, isInBackground } = {}) =>
      new Promise(resolve => {
        if (signal?.aborted) return resolve()
        const end = () => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', end)
          resolve()
        }
        const timer = setTimeout(end, milliseconds)
        if (isInBackground) timer.unref()
        signal?.addEventListener('abort', end, { once: true })
      }),
    after: (milliseconds, work) => {
      const timer = setTimeout(work, milliseconds).unref()
      return { cancel: () => clearTimeout(timer), restart: () => void timer.refresh() }
    },
    every: (milliseconds, work) => {
      const timer = setInterval(work, milliseconds).unref()
      return { cancel: () => clearInterval(timer), restart: () => void timer.refresh() }
    },
  }
}

/** A time in RFC 3339, in UTC. */
export function rfc3339(moment: number): string {
  return new Date(moment).toISOString()
}
