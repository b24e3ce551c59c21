import { setTimeout as pause } from 'node:timers/promises'
import type { UpstreamSettings } from '../config/settings-upstream.js'
import { WaitingLine } from '../connections/waiting-line.js'
import { ANOTHER_CUSTOMER, type Outcome, readAnswer, UpstreamRefusal, type UpstreamToken } from './answer.js'
import { Circuit, type UpstreamState } from './circuit.js'
import type { Exchange, UpstreamRequest } from './exchange.js'
import { type FailureKind, noTurn, tooBusy, UpstreamFailure } from './failure.js'
import type { HostMetrics } from './metrics.js'
import { RecentLatency } from './recent-latency.js'
import { RetryBudget } from './retry-budget.js'

const MOST_TRIES = 3
/** Before the second try; before each further one twice as long. Milliseconds, at most. */
const FIRST_PAUSE = 100
/** Nothing is sent in the last part of a request's time: it would be paid for, and its answer come too late. */
const LAST_PART = 0.1
/** So much of its time a request may wait for its turn. */
const WAITING_PART = 0.5
/** An answer may take longer than most of the last ones. */
const MARGIN = 1.25
/** What it says to one customer's requests. */
const PROVOKED: ReadonlySet<FailureKind> = new Set(['not accepted', 'too many requests'])
/** What another certificate alone can mend. */
const CERTIFICATE_FAULT = /CERT|CRL|ISSUER|SIGNATURE|INVALID_CA|HOSTNAME_MISMATCH|INVALID_PURPOSE|PATH_LENGTH/

/** One host of the real service, asked with all the care that its bad days need. */
export class GuardedHost {
  readonly #parts: GuardedHostParts
  readonly #line: WaitingLine
  readonly #circuit: Circuit<Outcome>
  readonly #budget = new RetryBudget()
  /** The authenticators whose tokens show their number. */
  readonly #numbered = new Set<string>()
  readonly #latency: RecentLatency
  #drained: (() => void) | undefined

  constructor(parts: GuardedHostParts) {
    const { settings, changed, uptime } = parts
    this.#parts = parts
    this.#line = new WaitingLine(settings.connections, settings.queue, noTurn)
    this.#latency = new RecentLatency(settings.timeout, uptime)
    this.#circuit = new Circuit({ pause: settings.breakerPause, isFailure: isFailureOfHost, changed, uptime })
  }

  get state(): UpstreamState {
    return this.#circuit.state
  }

  get underWay(): number {
    return this.#line.underWay
  }

  get waiting(): number {
    return this.#line.waiting
  }

  requireCapacity(account: number): void {
    this.#circuit.requireClosed(account)
    this.#line.requireRoom(account)
    this.#requireTurnInTime(account)
  }

  async ask(request: UpstreamRequest): Promise<UpstreamToken> {
    const began = performance.now()
    const outcome = await this.#inTurn(request, began)
    this.#parts.metrics.answered(outcome, performance.now() - began)
    if (outcome instanceof Error) throw outcome
    return outcome
  }

  /** Waits for what is under way, which the time of each request bounds. */
  async close(): Promise<void> {
    if (this.#line.underWay > 0)
      await new Promise<void>(resolve => {
        this.#drained = resolve
      })
    await this.#parts.exchange.close()
  }

  async #inTurn(request: UpstreamRequest, began: number): Promise<Outcome> {
    const { customerId } = request
    try {
      this.#requireTurnInTime(customerId)
      const turn = this.#line.enter(this.#mostWaiting, undefined, customerId)
      if (turn !== undefined) await turn
    } catch (failure) {
      return asOutcome(failure)
    }
    try {
      return await this.#tries(request, began)
    } finally {
      this.#line.leave(customerId)
      if (this.#line.underWay === 0) this.#drained?.()
    }
  }

  /** What waits any longer could be paid for, and its answer come too late. */
  get #mostWaiting(): number {
    const { timeout } = this.#parts.settings
    return Math.min(timeout * WAITING_PART, timeout - this.#latency.ofMost * MARGIN)
  }

  /** Refuses at once who would wait in vain. */
  #requireTurnInTime(account: number): void {
    const turns = this.#line.turnsBefore(account)
    const wait = (turns * this.#latency.mean) / this.#parts.settings.connections
    if (turns > 0 && wait >= this.#mostWaiting) throw tooBusy(wait)
  }

  async #tries(request: UpstreamRequest, began: number): Promise<Outcome> {
    const { timeout } = this.#parts.settings
    const deadline = began + timeout
    const waited = performance.now() - began
    // Those whose answers came meanwhile may have taken longer than the ones before.
    if (waited > timeout * LAST_PART && waited > this.#mostWaiting) return tooBusy(waited)
    // A little less than whoever waits has to have left, for the way to the connection.
    const needed = Math.max(timeout * LAST_PART, Math.min(this.#latency.ofMost, timeout * (1 - LAST_PART)))
    const last = deadline - needed
    this.#budget.earn()
    let outcome = await this.#try(request, deadline, last)
    for (let tries = 1; tries < MOST_TRIES && mayBeTriedAgain(outcome); tries++) {
      const wait = Math.random() * FIRST_PAUSE * 2 ** (tries - 1) // no secret: it only spreads those who failed together
      if (performance.now() + wait >= last || !this.#budget.spend()) break
      await pause(wait)
      this.#parts.metrics.retried()
      const again = await this.#try(request, deadline, last)
      // Why it was not reached says more than that it was not asked again.
      if (!(again instanceof UpstreamFailure && again.kind === 'circuit open')) outcome = again
    }
    return outcome
  }

  #try(request: UpstreamRequest, deadline: number, last: number): Promise<Outcome> {
    return this.#circuit.run(request.customerId, () => this.#exchange(request, deadline, last)).catch(asOutcome)
  }

  async #exchange(request: UpstreamRequest, deadline: number, last: number): Promise<Outcome> {
    const began = performance.now()
    try {
      const answer = await this.#parts.exchange.send(request, Math.max(1, Math.round(deadline - began)), last)
      this.#latency.add(performance.now() - began)
      return readAnswer(answer, request, this.#numbered)
    } catch (error) {
      const outcome = asOutcome(error)
      if (outcome instanceof UpstreamFailure && outcome.reason === ANOTHER_CUSTOMER) this.#parts.exchange.reconnect?.()
      return outcome
    }
  }
}

export interface GuardedHostParts {
  readonly exchange: Exchange
  readonly settings: Pick<UpstreamSettings, 'timeout' | 'connections' | 'queue' | 'breakerPause'>
  readonly metrics: HostMetrics
  /** Told when the host is left alone, tried, or asked again: by all, or by one account. */
  readonly changed: (state: UpstreamState, account: number | undefined) => void
  /** Counts milliseconds steadily. */
  readonly uptime: () => number
}

function asOutcome(error: unknown): UpstreamRefusal | UpstreamFailure {
  if (error instanceof UpstreamFailure || error instanceof UpstreamRefusal) return error
  throw error
}

/** A refusal is an answer of a host that works; what a customer's request provokes must not shut out the others. */
function isFailureOfHost(outcome: Outcome): boolean {
  if (outcome instanceof UpstreamRefusal) return outcome.mayHaveIssued
  return outcome instanceof UpstreamFailure && !PROVOKED.has(outcome.kind)
}

/** Only what certainly did not arrive, and may do so now. */
function mayBeTriedAgain(outcome: Outcome): boolean {
  return (
    outcome instanceof UpstreamFailure &&
    outcome.kind.startsWith('not reached') &&
    !CERTIFICATE_FAULT.test(outcome.reason ?? '')
  )
}
