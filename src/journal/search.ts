import { LONGEST_WAIT, type Times } from '../../schemas/patterns.js'
import { StatusError } from '../errors/public-error.js'
import type { Clock } from '../ground/clock.js'
import { ExpectationError, type Nearest } from './expectation-error.js'
import { type GivenPattern, Pattern, type Searchable } from './pattern.js'
import type { Expectation, Matches } from './watchers.js'

/** An entry that can be searched for and shown. */
export interface Entry<Shown> extends Searchable {
  toJson(): Shown
  /** In a few words. */
  describe(): string
}

/** What comes while somebody watches. Nothing is missed between what is there and what comes. */
export interface Watch<E> {
  /** What is there, the newest first. */
  readonly present: AsyncIterable<readonly E[]>
  /** What has come since; `again` when some of it was taken away; `undefined` when the signal aborts. */
  next(signal: AbortSignal): Promise<readonly E[] | 'again' | undefined>
  /** What has come until now, with what no notification was sent for. */
  last(): Promise<readonly E[]>
  stop(): void
}

/** Where entries come from. */
export interface Source<E> {
  /** `request` or `event`: for texts. */
  readonly kind: 'request' | 'event'
  present(pattern: Pattern): AsyncIterable<readonly E[]>
  watch(pattern: Pattern): Watch<E>
  /** Adds what entries that are shown have beside. */
  complete(entries: readonly E[]): Promise<void>
}

type Aim = 'verify' | 'wait'

/** Verifications and waits at the same time. */
const MOST_WAITING = 1000
const MOST_SHOWN = 5

/** Searches entries by patterns, and waits for them. */
export class Search<E extends Entry<Shown>, Shown> {
  readonly #source: Source<E>
  readonly #clock: Clock
  readonly #waiting = new Set<AbortController>()
  #isClosed = false

  constructor(source: Source<E>, clock: Clock) {
    this.#source = source
    this.#clock = clock
  }

  async find(given: GivenPattern, limit: number): Promise<Shown[]> {
    const found = await this.#newest(new Pattern(given), limit)
    return found.map(entry => entry.toJson())
  }

  async count(given: GivenPattern): Promise<number> {
    const pattern = new Pattern(given)
    let count = 0
    for await (const entries of this.#source.present(pattern)) count += pattern.select(entries).length
    return count
  }

  /** Throws an ExpectationError where it does not hold when the time is over, or cannot hold any more. */
  verify(given: GivenPattern, expectation: Expectation = {}): Promise<Matches<Shown>> {
    return this.#expect('verify', given, { withinMs: 0, ...expectation })
  }

  /** The same, and resolves as soon as it holds. */
  wait(given: GivenPattern, expectation: Expectation = {}): Promise<Matches<Shown>> {
    return this.#expect('wait', given, { withinMs: 2000, ...expectation })
  }

  /** Ends those who wait. */
  close(): void {
    this.#isClosed = true
    for (const one of this.#waiting) one.abort(new StatusError(503, 'The server is shutting down'))
  }

  async #expect(aim: Aim, given: GivenPattern, { times, withinMs = 0, signal }: Expectation): Promise<Matches<Shown>> {
    const pattern = new Pattern(given)
    const bounds = boundsOf(times)
    const end = this.#begin()
    const timer = this.#clock.after(Math.min(withinMs, LONGEST_WAIT), () => end.abort(TIME_IS_OVER))
    const abort = () => end.abort(signal?.reason)
    if (signal?.aborted === true) abort()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      const count = await this.#countUntil(pattern, end.signal, count => decides(aim, count, bounds))
      if (end.signal.aborted && end.signal.reason !== TIME_IS_OVER) throw end.signal.reason
      if (!holds(count, bounds)) throw await this.#unmet(pattern, count, bounds)
      const matches = count === 0 ? [] : await this.#newest(pattern, MOST_SHOWN)
      return { count, matches: matches.map(entry => entry.toJson()) }
    } finally {
      timer.cancel()
      signal?.removeEventListener('abort', abort)
      this.#waiting.delete(end)
    }
  }

  #begin(): AbortController {
    if (this.#isClosed) throw new StatusError(503, 'The server is shutting down')
    if (this.#waiting.size >= MOST_WAITING)
      throw new StatusError(503, `${MOST_WAITING} verifications and waits are running, and there may not be more`)
    const end = new AbortController()
    this.#waiting.add(end)
    return end
  }

  /** How many there are when that decides, or when the signal aborts. */
  async #countUntil(pattern: Pattern, signal: AbortSignal, isDecided: (count: number) => boolean): Promise<number> {
    for (;;) {
      const watch = this.#source.watch(pattern)
      try {
        const count = await countIn(watch, pattern, signal, isDecided)
        if (count !== 'again') return count
      } finally {
        watch.stop()
      }
    }
  }

  async #newest(pattern: Pattern, limit: number): Promise<E[]> {
    const found: E[] = []
    for await (const entries of this.#source.present(pattern)) {
      found.push(...pattern.select(entries).slice(0, limit - found.length))
      if (found.length >= limit) break
    }
    await this.#source.complete(found)
    return found
  }

  async #unmet(pattern: Pattern, count: number, bounds: Bounds): Promise<ExpectationError> {
    const nearest = await this.#nearest(pattern)
    const { kind } = this.#source
    return new ExpectationError({ kind, pattern: pattern.given, count, wanted: describeBounds(bounds), nearest })
  }

  /** Those with the fewest differences; of these the newest. Other customers' requests are of no use to who names one. */
  async #nearest(pattern: Pattern): Promise<Nearest<Shown>[]> {
    const customer = pattern.exact('customer')
    let nearest: { entry: E; differs: Nearest<Shown>['differs'] }[] = []
    for await (const all of this.#source.present(pattern)) {
      const entries =
        customer === undefined
          ? all
          : all.filter(entry => [customer, undefined].includes(entry.member('customer') as number))
      const differences = pattern.differences(entries)
      const more = entries.map((entry, place) => ({ entry, differs: differences[place] ?? [] }))
      nearest = [...nearest, ...more]
        .sort((one, other) => one.differs.length - other.differs.length)
        .slice(0, MOST_SHOWN)
    }
    await this.#source.complete(nearest.map(({ entry }) => entry))
    return nearest.map(({ entry, differs }) => ({ entry: entry.toJson(), described: entry.describe(), differs }))
  }
}

async function countIn<E extends Searchable>(
  watch: Watch<E>,
  pattern: Pattern,
  signal: AbortSignal,
  isDecided: (count: number) => boolean,
): Promise<number | 'again'> {
  let count = 0
  for await (const entries of watch.present) count += pattern.select(entries).length
  while (!isDecided(count)) {
    const more = await watch.next(signal)
    if (more === undefined) return count + pattern.select(await watch.last()).length
    if (more === 'again') return more
    count += pattern.select(more).length
  }
  return count
}

const TIME_IS_OVER = Symbol('the time is over')

interface Bounds {
  readonly atLeast: number
  readonly atMost: number | undefined
}

function boundsOf(times: Times): Bounds {
  if (typeof times === 'number') return { atLeast: times, atMost: times }
  return { atLeast: times?.atLeast ?? (times?.atMost === undefined ? 1 : 0), atMost: times?.atMost }
}

function holds(count: number, { atLeast, atMost = Number.POSITIVE_INFINITY }: Bounds): boolean {
  return count >= atLeast && count <= atMost
}

/** Whether it is useless to wait any longer: too many came, or enough, where more would do no harm or nobody minds. */
function decides(aim: Aim, count: number, bounds: Bounds): boolean {
  if (bounds.atMost !== undefined && count > bounds.atMost) return true
  return holds(count, bounds) && (aim === 'wait' || bounds.atMost === undefined)
}

function describeBounds({ atLeast, atMost }: Bounds): string {
  if (atLeast === atMost) return `${atLeast}`
  if (atMost === undefined) return `at least ${atLeast}`
  return atLeast === 0 ? `at most ${atMost}` : `${atLeast} to ${atMost}`
}
