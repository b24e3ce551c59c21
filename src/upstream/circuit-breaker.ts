import { RequestFailure } from '../connections/request-failure.js'
import type { Clock } from '../ground/clock.js'
import { RecentOutcomes } from './recent-outcomes.js'

export const CIRCUIT_STATES = ['closed', 'open', 'half-open'] as const
export type CircuitState = (typeof CIRCUIT_STATES)[number]

/**
 * Keeps requests from a host that fails. After a pause one of them tries whether it is well again. A host that fails for
 * one account alone is kept from that one: its requests may be why.
 */
export class CircuitBreaker<Outcome> {
  readonly #parts: CircuitBreakerParts<Outcome>
  readonly #recent: RecentOutcomes
  readonly #ofHost: Breaker
  /** Of those accounts alone whose is not closed. */
  readonly #ofAccounts = new Map<number, Breaker>()
  /** Counts the changes. */
  #changes = 0
  /** Which of them was an account's last. */
  readonly #lastChanges = new Map<number, number>()

  constructor(parts: CircuitBreakerParts<Outcome>) {
    this.#parts = parts
    this.#recent = new RecentOutcomes(parts.clock)
    this.#ofHost = new Breaker(parts)
  }

  /** The host's; where nobody but accounts that are kept from it has asked it lately, theirs. */
  get state(): CircuitState {
    const [first] = this.#ofAccounts.values()
    if (this.#ofHost.state !== 'closed' || first === undefined || this.#recent.haveOthersThan(this.#ofAccounts))
      return this.#ofHost.state
    return first.state
  }

  /** Why a request of this account may not be sent now. */
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
    // What began before a change tells nothing about the host of now.
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
      // What holds for all holds for each.
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
  /** Milliseconds that a failing host is left alone. */
  readonly pause: number
  readonly isFailure: (outcome: Outcome) => boolean
  /** `account` is whose requests alone are kept from the host. */
  readonly changed: (state: CircuitState, account: number | undefined) => void
  /** Counts milliseconds steadily. */
  readonly clock: Clock
}

/** Whether requests pass, and when one may try. */
class Breaker {
  state: CircuitState = 'closed'
  lastChange = 0
  readonly #pause: number
  readonly #clock: Clock
  #openUntil = 0
  /** For whom it failed last: another account tries next, if there is one. */
  #failedFor: number | undefined
  /** Two that have asked since it opened: for each account there is another one then. */
  readonly #asking = new Set<number>()

  constructor({ pause, clock }: Pick<CircuitBreakerParts<never>, 'pause' | 'clock'>) {
    this.#pause = pause
    this.#clock = clock
  }

  /** Milliseconds until a request of this account may be sent, as far as is known. */
  timeLeft(account: number): number {
    if (this.state === 'closed') return 0
    if (this.#asking.size < 2) this.#asking.add(account)
    // While one request tries, the others need not wait for what comes of it.
    if (this.state === 'half-open') return this.#pause
    const left = this.#openUntil - this.#clock.uptime()
    const isAnotherOnesTurn = account === this.#failedFor && this.#asking.size > 1
    return isAnotherOnesTurn ? left + this.#pause : left
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
