import type { Clock } from '../ground/clock.js'

const LAST_MS = 10_000
/** Outcomes within these milliseconds share a slice. */
const SLICE_MS = 100
const MIN_OUTCOMES = 20

interface Count {
  outcomes: number
  failures: number
}

interface Slice {
  readonly begin: number
  readonly ofAccounts: Map<number, Count>
}

/** The outcomes of the last ten seconds, by account. A host fails when more than half of at least 20 have failed. */
export class RecentOutcomes {
  readonly #clock: Clock
  /** Slices with outcomes, the oldest first. */
  #slices: Slice[] = []
  readonly #ofAccounts = new Map<number, Count>()
  readonly #all: Count = { outcomes: 0, failures: 0 }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether a request of any other account has ended recently. */
  haveOthersThan(accounts: ReadonlyMap<number, unknown>): boolean {
    this.#forget(this.#clock.uptime() - LAST_MS)
    for (const account of this.#ofAccounts.keys()) if (!accounts.has(account)) return true
    return false
  }

  count(account: number, isFailure: boolean): void {
    const now = this.#clock.uptime()
    this.#forget(now - LAST_MS)
    const failures = isFailure ? 1 : 0
    for (const count of [
      countOf(this.#sliceAt(now).ofAccounts, account),
      countOf(this.#ofAccounts, account),
      this.#all,
    ]) {
      count.outcomes += 1
      count.failures += failures
    }
  }

  isFailingFor(account: number): boolean {
    const count = this.#ofAccounts.get(account)
    return count !== undefined && count.outcomes >= MIN_OUTCOMES && isMostly(count)
  }

  /** Whether the host fails for most accounts, and for more than one. */
  isFailingForAll(): boolean {
    if (this.#all.outcomes < MIN_OUTCOMES || !isMostly(this.#all)) return false
    let failing = 0
    for (const count of this.#ofAccounts.values()) if (isMostly(count)) failing += 1
    return failing > 1 && failing > this.#ofAccounts.size / 2
  }

  clear(): void {
    this.#slices = []
    this.#ofAccounts.clear()
    this.#all.outcomes = 0
    this.#all.failures = 0
  }

  clearOf(account: number): void {
    for (const { ofAccounts } of this.#slices) ofAccounts.delete(account)
    const count = this.#ofAccounts.get(account)
    if (count !== undefined) this.#subtract(account, count)
  }

  #forget(until: number): void {
    for (let oldest = this.#slices[0]; oldest !== undefined && oldest.begin <= until; oldest = this.#slices[0]) {
      this.#slices.shift()
      for (const [account, count] of oldest.ofAccounts) this.#subtract(account, count)
    }
  }

  #subtract(account: number, { outcomes, failures }: Count): void {
    const count = countOf(this.#ofAccounts, account)
    for (const one of [count, this.#all]) {
      one.outcomes -= outcomes
      one.failures -= failures
    }
    if (count.outcomes <= 0) this.#ofAccounts.delete(account)
  }

  #sliceAt(now: number): Slice {
    const last = this.#slices.at(-1)
    if (last !== undefined && now < last.begin + SLICE_MS) return last
    const slice = { begin: now, ofAccounts: new Map<number, Count>() }
    this.#slices.push(slice)
    return slice
  }
}

function countOf(counts: Map<number, Count>, account: number): Count {
  const known = counts.get(account)
  if (known !== undefined) return known
  const count = { outcomes: 0, failures: 0 }
  counts.set(account, count)
  return count
}

function isMostly({ outcomes, failures }: Count): boolean {
  return failures > outcomes / 2
}
