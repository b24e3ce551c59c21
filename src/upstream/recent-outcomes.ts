import type { IBreaker } from 'cockatiel'

const LAST_MS = 10_000
/** So many milliseconds are counted together. */
const SLICE_MS = 100
const FEWEST = 20

interface Slice {
  readonly begin: number
  outcomes: number
  failures: number
}

/** The outcomes of the last ten seconds. A failure opens the circuit when it makes more than half of at least twenty. */
export class RecentOutcomes implements IBreaker {
  /** None that could be kept. */
  readonly state = undefined
  readonly #uptime: () => number
  /** Those in which anything happened, the oldest first. */
  #slices: Slice[] = []
  #outcomes = 0
  #failures = 0

  /** `uptime` counts milliseconds steadily. */
  constructor(uptime: () => number) {
    this.#uptime = uptime
  }

  success(): void {
    this.#count(0)
  }

  failure(): boolean {
    this.#count(1)
    return this.#outcomes >= FEWEST && this.#failures > this.#outcomes / 2
  }

  clear(): void {
    this.#slices = []
    this.#outcomes = 0
    this.#failures = 0
  }

  #count(failures: 0 | 1): void {
    const now = this.#uptime()
    this.#forget(now - LAST_MS)
    const slice = this.#sliceOf(now)
    slice.outcomes += 1
    slice.failures += failures
    this.#outcomes += 1
    this.#failures += failures
  }

  #forget(until: number): void {
    for (let oldest = this.#slices[0]; oldest !== undefined && oldest.begin <= until; oldest = this.#slices[0]) {
      this.#slices.shift()
      this.#outcomes -= oldest.outcomes
      this.#failures -= oldest.failures
    }
  }

  #sliceOf(now: number): Slice {
    const last = this.#slices.at(-1)
    if (last !== undefined && now < last.begin + SLICE_MS) return last
    const slice = { begin: now, outcomes: 0, failures: 0 }
    this.#slices.push(slice)
    return slice
  }
}
