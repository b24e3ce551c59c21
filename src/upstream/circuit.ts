import { type CircuitBreakerPolicy, CircuitState, circuitBreaker, handleWhenResult } from 'cockatiel'
import { UpstreamFailure } from './failure.js'
import { RecentOutcomes } from './recent-outcomes.js'

export const CIRCUIT_STATES = ['closed', 'open', 'half-open'] as const
export type UpstreamState = (typeof CIRCUIT_STATES)[number]

/** Keeps requests from a host that fails. After a pause one of them tries whether it is well again. */
export class Circuit<Outcome> {
  readonly #breaker: CircuitBreakerPolicy
  readonly #recent: RecentOutcomes
  readonly #isFailure: (outcome: Outcome) => boolean
  readonly #pause: number
  readonly #uptime: () => number
  #openUntil = 0
  /** How often the state has changed. */
  #changes = 0

  constructor({ pause, isFailure, changed, uptime }: CircuitParts<Outcome>) {
    this.#isFailure = isFailure
    this.#pause = pause
    this.#uptime = uptime
    // What it gets is what `run` was given.
    const handled = handleWhenResult(outcome => isFailure(outcome as Outcome))
    const recent = new RecentOutcomes(uptime)
    this.#recent = recent
    // It goes by the wall clock, which can be put back. To it the pause is always over: `requireClosed` alone decides.
    this.#breaker = circuitBreaker(handled, { halfOpenAfter: Number.NEGATIVE_INFINITY, breaker: recent })
    this.#breaker.onStateChange(state => {
      this.#changes += 1
      recent.clear()
      if (state === CircuitState.Open) this.#openUntil = uptime() + pause
      changed(this.state)
    })
  }

  get state(): UpstreamState {
    switch (this.#breaker.state) {
      case CircuitState.Open:
        return 'open'
      case CircuitState.HalfOpen:
        return 'half-open'
      default:
        return 'closed'
    }
  }

  requireClosed(): void {
    const { state } = this.#breaker
    if (state === CircuitState.Closed) return
    // While one request tries, the others need not wait for what comes of it.
    const left = state === CircuitState.HalfOpen ? this.#pause : this.#openUntil - this.#uptime()
    if (left > 0) throw isOpen(left)
  }

  async run(work: () => Promise<Outcome>): Promise<Outcome> {
    this.requireClosed()
    if (this.#breaker.state !== CircuitState.Closed) return this.#breaker.execute(work)
    const changes = this.#changes
    const outcome = await work()
    // What began before a change tells nothing about the host of now.
    if (changes !== this.#changes) return outcome
    if (this.#isFailure(outcome)) return this.#breaker.execute(() => outcome)
    this.#recent.success()
    return outcome
  }
}

export interface CircuitParts<Outcome> {
  /** Milliseconds that a failing host is left alone. */
  readonly pause: number
  readonly isFailure: (outcome: Outcome) => boolean
  readonly changed: (state: UpstreamState) => void
  /** Counts milliseconds steadily. */
  readonly uptime: () => number
}

function isOpen(milliseconds: number): UpstreamFailure {
  return new UpstreamFailure('circuit open', { retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)) })
}
