import { PublicError } from '../errors/public-error.js'
import type { Clock } from '../ground/clock.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { networkOf } from '../ground/ip-addresses.js'
import type { Metrics } from '../metrics.js'
import type { Account } from '../store/account-records.js'
import { serviceId } from '../store/tables.js'

/** Called after every request that counts, including one over the limit. */
export type ReportRateLimit = (status: RateLimitStatus) => void

export interface RateLimitParts {
  /** Requests a minute; 0: any number. */
  readonly perMinute: number
  readonly clock: Clock
  readonly metrics: Metrics
}

/** How many requests may come from one address. */
export class AddressLimit {
  readonly #perMinute: number
  readonly #limit: Limit<number | string>

  constructor(parts: RateLimitParts) {
    this.#perMinute = parts.perMinute
    this.#limit = new Limit('address', parts)
  }

  get isOn(): boolean {
    return this.#perMinute > 0
  }

  admit(address: string, reportRateLimit: ReportRateLimit): void {
    this.#limit.admit(networkOf(address), this.#perMinute, reportRateLimit)
  }

  reset(): void {
    this.#limit.requests.reset()
  }
}

/** How many requests may come with an account's authenticators; those of test take nothing from production. */
export class AccountLimit {
  readonly #parts: RateLimitParts
  readonly #limit: Limit<number>
  /** Of accounts with a time of their own, which have minutes of their own. */
  readonly #apart = new Map<number, Limit<number>>()

  constructor(parts: RateLimitParts) {
    this.#parts = parts
    this.#limit = new Limit('account', parts)
  }

  admit({ id, limits }: Account, environment: Environment, reportRateLimit: ReportRateLimit): void {
    const perMinute = limits.requestsPerMinute ?? this.#parts.perMinute
    if (perMinute > 0)
      (this.#apart.get(id) ?? this.#limit).admit(serviceId(id, environment), perMinute, reportRateLimit)
  }

  /** Call it when an account has got a time of its own: the minute that it is in goes on for it alone. */
  setApart(id: number): void {
    if (this.#apart.has(id)) return
    const limit = new Limit<number>('account', this.#parts, id)
    limit.continue(
      this.#limit,
      ENVIRONMENTS.map(environment => serviceId(id, environment)),
    )
    this.#apart.set(id, limit)
  }

  /** Call it when the account goes by the time of all others again. */
  rejoin(id: number): void {
    this.#apart.delete(id)
  }

  /** Those of one customer, or of all. */
  reset(customerId: number | undefined): void {
    const limits = [this.#limit, ...this.#apart.values()]
    if (customerId === undefined) for (const { requests } of limits) requests.reset()
    else
      for (const environment of ENVIRONMENTS)
        for (const { requests } of limits) requests.forget(serviceId(customerId, environment))
  }
}

const WHOSE = { address: 'from this address', account: 'of this account' } as const

class Limit<Caller> {
  readonly #what: keyof typeof WHOSE
  readonly requests: RequestsPerMinute<Caller>
  readonly #metrics: Metrics

  constructor(what: keyof typeof WHOSE, { clock, metrics }: RateLimitParts, customerId?: number) {
    this.#what = what
    this.requests = new RequestsPerMinute(clock, customerId)
    this.#metrics = metrics
  }

  continue(other: Limit<Caller>, callers: readonly Caller[]): void {
    this.requests.continue(other.requests, callers)
  }

  admit(caller: Caller, perMinute: number, reportRateLimit: ReportRateLimit): void {
    const status = this.requests.count(caller, perMinute)
    reportRateLimit(status)
    if (!status.isOver) return
    this.#metrics.rateLimited(this.#what)
    // No documented code says it, so it is the status, as with everything that HTTP itself refuses.
    throw new PublicError(`Too many requests ${WHOSE[this.#what]}: ${perMinute} a minute are allowed`, {
      code: 429,
      status: 429,
      retryAfter: status.resetSeconds,
    })
  }
}

/** A caller's rate limit status after a request. */
export interface RateLimitStatus {
  readonly limit: number
  /** How many requests it may still send in this minute. */
  readonly remaining: number
  /** Whole seconds until the next minute begins. */
  readonly resetSeconds: number
  /** This request was over the limit. */
  readonly isOver: boolean
}

const MINUTE = 60_000
/** A flood from many addresses must not fill the memory. */
const MOST_CALLERS = 100_000

/**
 * Counts requests by caller. A minute is the same for all of them and begins with the first request after the one
 * before has ended, so nothing has to be swept: all counts are dropped at once. A minute with too many callers ends early.
 */
export class RequestsPerMinute<Caller> {
  readonly #clock: Clock
  readonly #customerId: number | undefined
  #counts = new Map<Caller, number>()
  #endsAt = Number.NEGATIVE_INFINITY

  /** By the time of this customer, where one is given. */
  constructor(clock: Clock, customerId?: number) {
    this.#clock = clock
    this.#customerId = customerId
  }

  /** Takes over another's minute, with the counts of these callers. */
  continue(other: RequestsPerMinute<Caller>, callers: readonly Caller[]): void {
    this.#endsAt = other.#endsAt
    for (const caller of callers) this.#counts.set(caller, other.#counts.get(caller) ?? 0)
  }

  count(caller: Caller, limit: number): RateLimitStatus {
    const now = this.#clock.elapsed(this.#customerId)
    const before = this.#countedBefore(caller, now)
    const isOver = before >= limit
    // What is refused is not counted.
    const counted = isOver ? before : before + 1
    this.#counts.set(caller, counted)
    return {
      limit,
      remaining: Math.max(0, limit - counted),
      resetSeconds: Math.ceil((this.#endsAt - now) / 1000),
      isOver,
    }
  }

  reset(): void {
    this.#counts = new Map()
    this.#endsAt = Number.NEGATIVE_INFINITY
  }

  forget(caller: Caller): void {
    this.#counts.delete(caller)
  }

  #countedBefore(caller: Caller, now: number): number {
    // A minute that has not begun yet is over, too: an emulator's clock can be set back.
    if (now >= this.#endsAt || now < this.#endsAt - MINUTE) this.#begin(now)
    const before = this.#counts.get(caller)
    if (before === undefined && this.#counts.size >= MOST_CALLERS) this.#begin(now)
    return before ?? 0
  }

  #begin(now: number): void {
    this.#counts = new Map()
    this.#endsAt = now + MINUTE
  }
}
