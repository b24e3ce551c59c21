import { RequestFailure } from '../connections/request-failure.js'
import type { Clock } from '../ground/clock.js'
import { RecentOutcomes } from './recent-outcomes.js'

export const CIRCUIT_STATES = ['closed', 'open', 'half-open'] as const
export type CircuitState = (typeof CIRCUIT_STATES)[number]

/**
 * Stops requests to a failing host. After a pause one request probes whether the host has recovered. If the host fails
 * for one account only, only that account is stopped: its requests may be the cause.
 */
export class CircuitBreaker<Outcome> {
  readonly #parts: CircuitBreakerParts<Outcome>
  readonly #recent: RecentOutcomes
  readonly #ofHost: Breaker
  /** The account breakers that are not closed. */
  readonly #ofAccounts = new Map<number, Breaker>()
  /** The number of state changes. */
  #changes = 0
  /** By account, the number of its last state change. */
  readonly #lastChanges = new Map<number, number>()

  constructor(parts: CircuitBreakerParts<Outcome>) {
    this.#parts = parts
    this.#recent = new RecentOutcomes(parts.clock)
    this.#ofHost = new Breaker(parts)
  }

  /** The host's state; when only stopped accounts have sent requests recently, theirs. */
  get state(): CircuitState {
    const [first] = this.#ofAccounts.values()
    if (this.#ofHost.state !== 'closed' || first === undefined || this.#recent.haveOthersThan(this.#ofAccounts))
      return this.#ofHost.state
    return first.state
  }

  /** Why no request of this account may be sent now. */
  refusal(account: number): RequestFailure | undefined {
    const left = Math.max(this.#ofHost.timeLeft(account), this.#ofAccounts.get(account)?.timeLeft(account) ?? 0)
    if (left <= 0) return undefined
    return new RequestFailure('circuit open', { retryAfter: Math.max(1, Math.ceil(left / 1000)) })
  }

  async run(account: number, work: () => Promise<Outcome>): Promise<Outcome | RequestFailure> {
    const refusal = this.refusal(account)
    if (refusal !== undefined) return refusal
    const breaker = this.#ofHost.state === 'closed' ? this.#ofAccounts.get(account) : this.#ofHost
    if (breaker !== undefined) return this.#probe(breaker, account, work)
    const before = this.#changes
    const outcome = await work()
    // A request sent before the last state change says nothing about the host's current state.
    if ((this.#lastChanges.get(account) ?? 0) > before || this.#ofHost.lastChange > before) return outcome
    this.#count(account, this.#parts.isFailure(outcome))
    return outcome
  }

  async #probe(breaker: Breaker, account: number, work: () => Promise<Outcome>): Promise<Outcome> {
    const whose = breaker === this.#ofHost ? undefined : account
    this.#change(breaker, 'half-open', whose)
    let isWell = false
    try {
      const outcome = await work()
      isWell = !this.#parts.isFailure(outcome)
      return outcome
    } finally {
      if (isWell) this.#close(breaker, whose)
      else this.#open(breaker, whose, account)
    }
  }

  #count(account: number, isFailure: boolean): void {
    this.#recent.count(account, isFailure)
    if (!isFailure) return
    if (this.#recent.isFailingForAll()) this.#open(this.#ofHost, undefined, account)
    else if (this.#recent.isFailingFor(account)) this.#open(new Breaker(this.#parts), account, account)
  }

  #open(breaker: Breaker, whose: number | undefined, failed: number): void {
    if (whose === undefined) {
      this.#recent.clear()
      // The host's breaker replaces the accounts' breakers.
      this.#ofAccounts.clear()
    } else this.#ofAccounts.set(whose, breaker)
    breaker.failedFor(failed)
    this.#change(breaker, 'open', whose)
  }

  #close(breaker: Breaker, whose: number | undefined): void {
    if (whose === undefined) this.#recent.clear()
    else {
      this.#recent.clearOf(whose)
      this.#ofAccounts.delete(whose)
    }
    this.#change(breaker, 'closed', whose)
  }

  #change(breaker: Breaker, state: CircuitState, whose: number | undefined): void {
    this.#changes += 1
    if (whose !== undefined) this.#lastChanges.set(whose, this.#changes)
    breaker.change(state, this.#changes)
    this.#parts.changed(state, whose)
  }
}

export interface CircuitBreakerParts<Outcome> {
  /** Milliseconds without requests to a failing host. */
  readonly pause: number
  readonly isFailure: (outcome: Outcome) => boolean
  /** `account` is set for the breaker of a single account. */
  readonly changed: (state: CircuitState, account: number | undefined) => void
  /** Its uptime counts milliseconds steadily. */
  readonly clock: Clock
}

/** The state of one breaker, and when a request may probe. */
class Breaker {
  state: CircuitState = 'closed'
  lastChange = 0
  readonly #pause: number
  readonly #clock: Clock
  #openUntil = 0
  /** The account of the last failure: another account probes next, if there is one. */
  #failedFor: number | undefined
  /** The first two accounts that have asked since it opened: enough to know of another account. */
  readonly #asking = new Set<number>()

  constructor({ pause, clock }: Pick<CircuitBreakerParts<never>, 'pause' | 'clock'>) {
    this.#pause = pause
    this.#clock = clock
  }

  /** Estimated milliseconds until a request of this account may be sent. */
  timeLeft(account: number): number {
    if (this.state === 'closed') return 0
    if (this.#asking.size < 2) this.#asking.add(account)
    // While one request probes, the others are refused instead of waiting for its outcome.
    if (this.state === 'half-open') return this.#pause
    const left = this.#openUntil - this.#clock.uptime()
    const mayAnotherProbe = account === this.#failedFor && this.#asking.size > 1
    return mayAnotherProbe ? left + this.#pause : left
  }

  failedFor(account: number): void {
    this.#failedFor = account
  }

  change(state: CircuitState, change: number): void {
    this.state = state
    this.lastChange = change
    if (state === 'closed') this.#asking.clear()
    if (state === 'open') this.#openUntil = this.#clock.uptime() + this.#pause
  }
}
