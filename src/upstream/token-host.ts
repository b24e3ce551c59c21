import type { UpstreamSettings } from '../config/settings-upstream.js'
import type { RemoteService } from '../connections/remote-service.js'
import { isAboutCertificate, RequestFailure } from '../connections/request-failure.js'
import type { Clock } from '../ground/clock.js'
import { InFlight } from '../ground/in-flight.js'
import { type Randomness, randomFraction } from '../ground/randomness.js'
import { CircuitBreaker, type CircuitState } from './circuit-breaker.js'
import { RecentLatency } from './recent-latency.js'
import { ANOTHER_CUSTOMER, type Outcome, readTokenAnswer, UpstreamRefusal } from './token-answer.js'
import type { TokenExchange, UpstreamRequest } from './token-exchange.js'
import type { HostMetrics } from './upstream-metrics.js'

const MOST_TRIES = 3
/** Before the second try; before each further one twice as long. Milliseconds, at most. */
const FIRST_PAUSE = 100
/** Nothing is sent in the last part of a request's time: it would be paid for, and its answer come too late. */
const LAST_PART = 0.1
/** So much of its time a request may wait for its turn. */
const WAITING_PART = 0.5
/** An answer may take longer than most of the last ones. */
const MARGIN = 1.25

export interface TokenHostParts {
  readonly service: RemoteService
  /** The way to the service's token endpoint. */
  readonly exchange: TokenExchange
  readonly settings: Pick<UpstreamSettings, 'timeout' | 'connections' | 'breakerPause'>
  readonly metrics: HostMetrics
  /** Told when the circuit breaker opens, tries, or closes: for all, or for one account. */
  readonly circuitChanged: (state: CircuitState, account: number | undefined) => void
  readonly clock: Clock
  readonly random: Randomness
}

/** One host of the real service, asked with all the care that its bad days need. */
export class TokenHost {
  readonly #parts: TokenHostParts
  readonly #circuit: CircuitBreaker<Outcome>
  readonly #budget = new RetryBudget()
  /** The authenticators whose tokens show their number. */
  readonly #numbered = new Set<string>()
  readonly #latency: RecentLatency
  readonly #inFlight = new InFlight()

  constructor(parts: TokenHostParts) {
    const { settings, circuitChanged: changed, clock } = parts
    this.#parts = parts
    this.#latency = new RecentLatency(settings.timeout, clock)
    this.#circuit = new CircuitBreaker({ pause: settings.breakerPause, isFailure: isFailureOfHost, changed, clock })
  }

  get state(): CircuitState {
    return this.#circuit.state
  }

  get inFlight(): number {
    return this.#parts.service.queue.inFlight
  }

  get waiting(): number {
    return this.#parts.service.queue.waiting
  }

  /** Why it makes no sense to ask now. */
  refusal(account: number): RequestFailure | undefined {
    const open = this.#circuit.refusal(account)
    if (open !== undefined) return open
    return this.#parts.service.queue.hasRoom(account) ? this.#noTurnInTime(account) : tooBusy()
  }

  async ask(request: UpstreamRequest): Promise<Outcome> {
    const { clock, metrics } = this.#parts
    const began = clock.uptime()
    this.#inFlight.begin()
    try {
      const outcome = await this.#inTurn(request, began)
      metrics.answered(outcome, clock.uptime() - began)
      return outcome
    } finally {
      this.#inFlight.end()
    }
  }

  /** Waits for what is in flight, which the time of each request bounds. */
  async close(): Promise<void> {
    await this.#inFlight.idle()
    await this.#parts.service.close()
  }

  async #inTurn(request: UpstreamRequest, began: number): Promise<Outcome> {
    const { customerId } = request
    const { queue } = this.#parts.service
    const hopeless = this.#noTurnInTime(customerId)
    if (hopeless !== undefined) return hopeless
    const entering = queue.enter(this.#mostWaiting, customerId)
    const failure = entering instanceof Promise ? await entering : entering
    if (failure !== undefined) return tooBusy()
    try {
      return await this.#tries(request, began)
    } finally {
      queue.leave(customerId)
    }
  }

  /** What waits any longer could be paid for, and its answer come too late. */
  get #mostWaiting(): number {
    const { timeout } = this.#parts.settings
    return Math.min(timeout * WAITING_PART, timeout - this.#latency.ofMost * MARGIN)
  }

  /** A request whose turn would come too late is refused at once. */
  #noTurnInTime(account: number): RequestFailure | undefined {
    const turns = this.#parts.service.queue.turnsBefore(account)
    const wait = (turns * this.#latency.mean) / this.#parts.settings.connections
    return turns > 0 && wait >= this.#mostWaiting ? tooBusy(wait) : undefined
  }

  async #tries(request: UpstreamRequest, began: number): Promise<Outcome> {
    const { settings, metrics, clock, random } = this.#parts
    const { timeout } = settings
    const deadline = began + timeout
    const waited = clock.uptime() - began
    // Those whose answers came meanwhile may have taken longer than the ones before.
    if (waited > timeout * LAST_PART && waited > this.#mostWaiting) return tooBusy(waited)
    // A little less than a request in the queue has to have left, for the way to the connection.
    const needed = Math.max(timeout * LAST_PART, Math.min(this.#latency.ofMost, timeout * (1 - LAST_PART)))
    const latestStart = deadline - needed
    this.#budget.earn()
    let outcome = await this.#try(request, deadline, latestStart)
    for (let tries = 1; tries < MOST_TRIES && mayBeTriedAgain(outcome); tries++) {
      // Spreads those who failed together.
      const wait = randomFraction(random) * FIRST_PAUSE * 2 ** (tries - 1)
      if (clock.uptime() + wait >= latestStart || !this.#budget.spend()) break
      await clock.sleep(wait)
      metrics.retried()
      const again = await this.#try(request, deadline, latestStart)
      // Why it was not reached says more than that it was not asked again.
      if (!(again instanceof RequestFailure && again.kind === 'circuit open')) outcome = again
    }
    return outcome
  }

  #try(request: UpstreamRequest, deadline: number, latestStart: number): Promise<Outcome> {
    return this.#circuit.run(request.customerId, () => this.#exchangeOnce(request, deadline, latestStart))
  }

  async #exchangeOnce(request: UpstreamRequest, deadline: number, latestStart: number): Promise<Outcome> {
    const { service, exchange, clock } = this.#parts
    const began = clock.uptime()
    const answer = await exchange(request, deadline, latestStart)
    if (answer instanceof RequestFailure) return answer
    this.#latency.add(clock.uptime() - began)
    const outcome = readTokenAnswer(answer, request, this.#numbered)
    // One of the connections brings the answers to other requests.
    if (outcome instanceof RequestFailure && outcome.reason === ANOTHER_CUSTOMER) service.reconnect()
    return outcome
  }
}

/** For a request that would have to wait for so many milliseconds, or has. */
function tooBusy(milliseconds = 1000): RequestFailure {
  return new RequestFailure('queue full', { retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)) })
}

/** A refusal is an answer of a host that works; what a customer's request provokes must not shut out the others. */
function isFailureOfHost(outcome: Outcome): boolean {
  if (outcome instanceof UpstreamRefusal) return outcome.mayHaveIssued
  if (!(outcome instanceof RequestFailure)) return false
  return outcome.kind !== 'not accepted' && outcome.kind !== 'too many requests'
}

/** Only what certainly did not arrive, and may do so now: another certificate alone can mend a wrong one. */
function mayBeTriedAgain(outcome: Outcome): boolean {
  return outcome instanceof RequestFailure && outcome.kind.startsWith('not reached') && !isAboutCertificate(outcome)
}

const EARNED = 0.1
const MOST_RETRIES = 10

/**
 * Lets a tenth of the requests be tried again, and a few more after a quiet time: a host that is down for all is not
 * asked several times as often as one that is up.
 */
class RetryBudget {
  #left = MOST_RETRIES

  earn(): void {
    this.#left = Math.min(MOST_RETRIES, this.#left + EARNED)
  }

  spend(): boolean {
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
