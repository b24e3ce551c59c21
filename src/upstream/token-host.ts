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
import type { HostMetrics, HostPlace } from './upstream-metrics.js'

const MAX_TRIES = 3
/** The longest pause before the second try, in milliseconds; it doubles for each further one. */
const FIRST_PAUSE = 100
/** Nothing is sent in the last part of a request's timeout: the token would be paid for, and its answer late. */
const RESERVED_PART = 0.1
/** The part of its timeout that a request may spend in the queue. */
const WAITING_PART = 0.5
/** An answer may take longer than the 95th percentile. */
const MARGIN = 1.25

export interface TokenHostParts {
  readonly place: HostPlace
  readonly service: RemoteService
  /** Sends to the service's token endpoint. */
  readonly exchange: TokenExchange
  readonly settings: Pick<UpstreamSettings, 'timeout' | 'connections' | 'breakerPause'>
  readonly metrics: HostMetrics
  /** Called when the circuit breaker opens, half-opens or closes, for the host or for one account. */
  readonly circuitChanged: (state: CircuitState, account: number | undefined) => void
  readonly clock: Clock
  readonly random: Randomness
}

/** One host of the real service, with queue, circuit breaker and retries. */
export class TokenHost {
  readonly #parts: TokenHostParts
  readonly #circuit: CircuitBreaker<Outcome>
  readonly #budget = new RetryBudget()
  /** The authenticators whose tokens are known to carry their customer number. */
  readonly #numbered = new Set<string>()
  readonly #latency: RecentLatency
  readonly #inFlight = new InFlight()

  constructor(parts: TokenHostParts) {
    const { settings, circuitChanged: changed, clock } = parts
    this.#parts = parts
    this.#latency = new RecentLatency(settings.timeout, clock)
    this.#circuit = new CircuitBreaker({ pause: settings.breakerPause, isFailure: isFailureOfHost, changed, clock })
  }

  get place(): HostPlace {
    return this.#parts.place
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

  /** Why a request would fail now. */
  refusal(account: number): RequestFailure | undefined {
    const open = this.#circuit.refusal(account)
    if (open !== undefined) return open
    return this.#parts.service.queue.hasRoom(account) ? this.#queueTooLong(account) : tooBusy()
  }

  async ask(request: UpstreamRequest): Promise<Outcome> {
    const { clock, metrics } = this.#parts
    const began = clock.uptime()
    this.#inFlight.begin()
    try {
      const outcome = await this.#queued(request, began)
      metrics.answered(outcome, clock.uptime() - began)
      return outcome
    } finally {
      this.#inFlight.end()
    }
  }

  /** Waits for the requests in flight; the timeout of each bounds the wait. */
  async close(): Promise<void> {
    await this.#inFlight.idle()
    await this.#parts.service.close()
  }

  async #queued(request: UpstreamRequest, began: number): Promise<Outcome> {
    const { customerId } = request
    const { queue } = this.#parts.service
    const tooLong = this.#queueTooLong(customerId)
    if (tooLong !== undefined) return tooLong
    const entering = queue.enter(this.#maxWait, customerId)
    const failure = entering instanceof Promise ? await entering : entering
    if (failure !== undefined) return tooBusy()
    try {
      return await this.#tries(request, began)
    } finally {
      queue.leave(customerId)
    }
  }

  /** After a longer wait a token could be paid for, and its answer would be late. */
  get #maxWait(): number {
    const { timeout } = this.#parts.settings
    return Math.min(timeout * WAITING_PART, timeout - this.#latency.p95 * MARGIN)
  }

  /** Refuses a request at once when the queue ahead of it is too long. */
  #queueTooLong(account: number): RequestFailure | undefined {
    const ahead = this.#parts.service.queue.requestsAhead(account)
    const wait = (ahead * this.#latency.mean) / this.#parts.settings.connections
    return ahead > 0 && wait >= this.#maxWait ? tooBusy(wait) : undefined
  }

  async #tries(request: UpstreamRequest, began: number): Promise<Outcome> {
    const { settings, metrics, clock, random } = this.#parts
    const { timeout } = settings
    const deadline = began + timeout
    const waited = clock.uptime() - began
    // The latency may have risen while the request was in the queue.
    if (waited > timeout * RESERVED_PART && waited > this.#maxWait) return tooBusy(waited)
    // A little less than the queue's limit leaves, for the time until the connection is ready.
    const needed = Math.max(timeout * RESERVED_PART, Math.min(this.#latency.p95, timeout * (1 - RESERVED_PART)))
    const latestStart = deadline - needed
    this.#budget.earn()
    let outcome = await this.#try(request, deadline, latestStart)
    for (let tries = 1; tries < MAX_TRIES && mayBeTriedAgain(outcome); tries++) {
      // Spreads requests that failed together.
      const wait = randomFraction(random) * FIRST_PAUSE * 2 ** (tries - 1)
      if (clock.uptime() + wait >= latestStart || !this.#budget.spend()) break
      await clock.sleep(wait)
      metrics.retried()
      const again = await this.#try(request, deadline, latestStart)
      // The failure of the try before explains more than the open circuit.
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
    // A connection has mixed up the answers to its requests.
    if (outcome instanceof RequestFailure && outcome.reason === ANOTHER_CUSTOMER) service.reconnect()
    return outcome
  }
}

/** `milliseconds`: the wait that the request has, or would have, in the queue. */
function tooBusy(milliseconds = 1000): RequestFailure {
  return new RequestFailure('queue full', { retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)) })
}

/** A refusal comes from a working host: the requests of one customer must not open the circuit for the others. */
function isFailureOfHost(outcome: Outcome): boolean {
  if (outcome instanceof UpstreamRefusal) return outcome.mayHaveIssued
  if (!(outcome instanceof RequestFailure)) return false
  return outcome.kind !== 'not accepted' && outcome.kind !== 'too many requests'
}

/** Only a request that certainly did not arrive. A certificate fault is not retried: it needs a new certificate. */
function mayBeTriedAgain(outcome: Outcome): boolean {
  return outcome instanceof RequestFailure && outcome.kind.startsWith('not reached') && !isAboutCertificate(outcome)
}

const EARNED = 0.1
const MAX_RETRIES = 10

/**
 * Allows retries for a tenth of the requests, and a few more after a quiet time, so that a host that is down does not
 * get several times its normal load.
 */
class RetryBudget {
  #left = MAX_RETRIES

  earn(): void {
    this.#left = Math.min(MAX_RETRIES, this.#left + EARNED)
  }

  spend(): boolean {
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
