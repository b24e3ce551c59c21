import type { FaultEffect } from '../../schemas/faults.js'
import type { Clock } from '../ground/clock.js'
import type { MaybePromise } from '../ground/maybe-promise.js'
import type { InjectedFault, TokenFlaw } from '../ground/request-trace.js'
import { ARRIVAL, stepBeforeWriting, stepOf } from './documented-codes.js'
import type { Endpoint } from './endpoint.js'
import { injectedOutage, injectedRefusal } from './injected-refusals.js'

/** How much longer a slow database takes. */
const SLOW_DATABASE_MS = 1000

/** What a rule is told of a request that it was chosen for. */
export interface Turn {
  acted(): void
  /** It did not act: the request had a fault of its own. */
  giveBack(): void
}

export interface ActiveFaultParts {
  readonly id: string
  readonly effect: FaultEffect
  readonly endpoint: Endpoint
  readonly route: string
  readonly turn?: Turn | undefined
  readonly clock: Clock
}

/** A fault that was chosen for one request. */
export class ActiveFault implements InjectedFault {
  readonly id: string
  readonly effect: FaultEffect
  readonly flaw: TokenFlaw | undefined
  readonly #parts: ActiveFaultParts
  readonly #ending = new AbortController()
  #state: 'waiting' | 'acted' | 'given back' = 'waiting'

  constructor(parts: ActiveFaultParts) {
    this.#parts = parts
    this.id = parts.id
    this.effect = parts.effect
    this.flaw = parts.effect.token
  }

  get hasActed(): boolean {
    return this.#state === 'acted'
  }

  /** Aborted when the caller is gone, or the server closes. */
  get ending(): AbortSignal {
    return this.#ending.signal
  }

  /** Before the endpoint sees the request. */
  arrive(): MaybePromise<void> {
    return this.after(ARRIVAL)
  }

  after(step: string): MaybePromise<void> {
    const { endpoint, route } = this.#parts
    const { errorCode, database } = this.effect
    if (errorCode !== undefined && step === stepOf(errorCode, endpoint)) {
      this.act()
      throw injectedRefusal(errorCode, endpoint, route)
    }
    if (database !== undefined && step === stepBeforeWriting(endpoint)) {
      this.act()
      if (database === 'down') throw injectedOutage(endpoint)
      return this.sleep(SLOW_DATABASE_MS)
    }
    if (this.flaw !== undefined && step === 'issue') this.act()
  }

  act(): void {
    if (this.#state !== 'waiting') return
    this.#state = 'acted'
    this.#parts.turn?.acted()
  }

  giveBack(): void {
    if (this.#state !== 'waiting') return
    this.#state = 'given back'
    this.#parts.turn?.giveBack()
  }

  /** Ends early with `ending`. */
  sleep(milliseconds: number): Promise<void> {
    return this.#parts.clock.sleep(milliseconds, { signal: this.ending })
  }

  end(): void {
    this.#ending.abort()
  }
}
