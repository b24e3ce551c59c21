import {
  type CircuitBreakerPolicy,
  CircuitState,
  circuitBreaker,
  handleWhenResult,
  isBrokenCircuitError,
  SamplingBreaker,
} from 'cockatiel'
import { UpstreamFailure } from './failure.js'

export const CIRCUIT_STATES = ['closed', 'open', 'half-open'] as const
export type UpstreamState = (typeof CIRCUIT_STATES)[number]

/** It opens when more than half of at least twenty requests of the last ten seconds failed. */
const SAMPLE = { threshold: 0.5, duration: 10_000, minimumRps: 2 }

/** Keeps requests from a host that fails. After a pause one of them tries whether it is well again. */
export class Circuit<Outcome> {
  readonly #breaker: CircuitBreakerPolicy
  readonly #pause: number
  #openUntil = 0

  constructor({ pause, isFailure, changed }: CircuitParts<Outcome>) {
    this.#pause = pause
    // What it gets is what `run` was given.
    const handled = handleWhenResult(outcome => isFailure(outcome as Outcome))
    this.#breaker = circuitBreaker(handled, { halfOpenAfter: pause, breaker: new SamplingBreaker(SAMPLE) })
    this.#breaker.onBreak(() => {
      this.#openUntil = performance.now() + pause
    })
    this.#breaker.onStateChange(() => changed(this.state))
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
    const left = state === CircuitState.HalfOpen ? this.#pause : this.#openUntil - performance.now()
    if (left > 0) throw isOpen(left)
  }

  async run(work: () => Promise<Outcome>): Promise<Outcome> {
    this.requireClosed()
    try {
      return await this.#breaker.execute(work)
    } catch (error) {
      // Its clock may be a moment behind ours.
      throw isBrokenCircuitError(error) ? isOpen(1) : error
    }
  }
}

export interface CircuitParts<Outcome> {
  /** Milliseconds that a failing host is left alone. */
  readonly pause: number
  readonly isFailure: (outcome: Outcome) => boolean
  readonly changed: (state: UpstreamState) => void
}

function isOpen(milliseconds: number): UpstreamFailure {
  return new UpstreamFailure('circuit open', { retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)) })
}
