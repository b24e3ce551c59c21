import type { Clock } from '../ground/clock.js'

const SLICE_MS = 5000
const STEPS = 64
const PERCENTILE = 0.95

interface Slice {
  readonly begin: number
  answers: number
  sum: number
  /** The number of answers by steps. */
  readonly ofSteps: Uint32Array
}

/** The latency of a host's answers in the last five to ten seconds. All times are in milliseconds. */
export class RecentLatency {
  readonly #step: number
  readonly #clock: Clock
  #current = emptySlice(0)
  #last = emptySlice(0)

  /** `most` is the longest possible latency. */
  constructor(most: number, clock: Clock) {
    this.#step = most / STEPS
    this.#clock = clock
  }

  add(milliseconds: number): void {
    this.#forget()
    const step = Math.min(STEPS - 1, Math.floor(milliseconds / this.#step))
    this.#current.answers += 1
    this.#current.sum += milliseconds
    this.#current.ofSteps[step] = (this.#current.ofSteps[step] ?? 0) + 1
  }

  /** The 95th percentile, to a 64th of the longest latency; 0 without any answer. */
  get p95(): number {
    this.#forget()
    const beyond = Math.floor((this.#current.answers + this.#last.answers) * (1 - PERCENTILE))
    let slower = 0
    for (let step = STEPS - 1; step >= 0; step--) {
      slower += (this.#current.ofSteps[step] ?? 0) + (this.#last.ofSteps[step] ?? 0)
      if (slower > beyond) return (step + 1) * this.#step
    }
    return 0
  }

  /** 0 without any answer. */
  get mean(): number {
    this.#forget()
    const answers = this.#current.answers + this.#last.answers
    return answers === 0 ? 0 : (this.#current.sum + this.#last.sum) / answers
  }

  #forget(): void {
    const now = this.#clock.uptime()
    const age = now - this.#current.begin
    if (age < SLICE_MS) return
    this.#last = age < 2 * SLICE_MS ? this.#current : emptySlice(now)
    this.#current = emptySlice(now)
  }
}

function emptySlice(begin: number): Slice {
  return { begin, answers: 0, sum: 0, ofSteps: new Uint32Array(STEPS) }
}
