import { RequestFailure } from '../connections/request-failure.js'
import { TOKEN_FAMILIES } from '../drm/families.js'
import type { IssuedToken } from '../drm/family.js'
import { orUnavailable, type PublicError, UNAVAILABLE } from '../errors/public-error.js'
import type { Now } from '../ground/clock.js'
import type { Environment } from '../ground/environment.js'
import type { Logger } from '../ground/logger.js'
import { type Ledger, type LedgerEvent, type Reservation, UnansweredReservation } from '../ledger/ledger.js'
import { type Asking, issueEvent, type TokenIssuer, type TokenOrder, usedUpError } from '../tokens/issuer.js'
import { tokenIdOf } from '../tokens/outer-layout.js'
import type { CircuitState } from './circuit-breaker.js'
import type { Settlements } from './settlements.js'
import { type Outcome, UpstreamRefusal, type UpstreamToken } from './token-answer.js'
import type { UpstreamRequest } from './token-exchange.js'
import { tokenUnavailable } from './unavailable.js'
import { upstreamParameters } from './upstream-parameters.js'

/** The real service, or a replay of it. */
export interface Upstream {
  /** Why a request would fail now: the service is down, or the queue is full. */
  refusal(asked: Asked): RequestFailure | undefined
  ask(request: UpstreamRequest): Promise<Outcome>
  /** The worst state among an environment's circuit breakers; a replay has none. */
  readonly states?: Readonly<Record<Environment, CircuitState>>
  close(): Promise<void>
}

/** Whose host is asked, and for whom. */
export type Asked = Pick<UpstreamRequest, 'environment' | 'family' | 'customerId'>

/** The real service issues the tokens. The ledger has a reservation before each request. */
export class UpstreamIssuer implements TokenIssuer {
  readonly hasKeyStorage = true
  readonly assumesParameters = false
  readonly #parts: UpstreamIssuerParts

  constructor(parts: UpstreamIssuerParts) {
    this.#parts = parts
  }

  async issue(order: TokenOrder): Promise<IssuedToken> {
    const token = await this.#ask(order)
    return { token: token.token, licenseAcquisitionUrl: this.#parts.licenceUrl(token.licenseAcquisitionUrl, order) }
  }

  hasCapacity(asking: Asking): boolean {
    return this.#parts.upstream.refusal(askedOf(asking)) === undefined
  }

  requireCapacity(asking: Asking): void {
    const failure = this.#parts.upstream.refusal(askedOf(asking))
    if (failure !== undefined) throw this.#refused(asking, failure, false)
  }

  async #ask(order: TokenOrder): Promise<UpstreamToken> {
    const { upstream, settlements, now } = this.#parts
    const request = this.#request(order)
    this.requireCapacity(order)
    const reservation = await this.#reserve(order)
    let outcome: Outcome
    try {
      outcome = await upstream.ask(request)
    } catch (fault) {
      // A fault of ours: the request may or may not have been sent.
      await settlements.settle(reservation, unknownEvent(order, now(order.account.id), UNAVAILABLE))
      throw fault
    }
    if (outcome instanceof Error) {
      await settlements.settle(reservation, eventOf(order, now(order.account.id), outcome))
      throw this.#refused(order, outcome, true)
    }
    await settlements.settle(reservation, issueEvent(order, now(order.account.id), tokenIdOf(outcome.token)))
    return outcome
  }

  #request(order: TokenOrder): UpstreamRequest {
    const { account, environment, family } = order
    return {
      environment,
      family,
      customerId: account.id,
      authenticator: this.#parts.authenticatorOf(account.id, environment),
      parameters: upstreamParameters(order, this.#parts.unknownParameters),
    }
  }

  async #reserve(order: TokenOrder): Promise<Reservation> {
    const { ledger, settlements, now, sharedNow } = this.#parts
    const time = sharedNow(order.account.id)
    const reserving = ledger.reserve(issueEvent(order, time, undefined)).catch(error => {
      if (!(error instanceof UnansweredReservation)) throw error
      // The caller is refused, so no reservation may stay charged.
      settlements.giveBack(error.reservation, refusedEvent(order, now(order.account.id), UNAVAILABLE))
      throw error.cause
    })
    const reserved = await orUnavailable(reserving)
    if (typeof reserved === 'string') throw usedUpError(reserved, time)
    return reserved
  }

  /** The error for the caller. The operator gets it in the log. */
  #refused(
    { requestId, environment, family, account }: Asking,
    outcome: Exclude<Outcome, UpstreamToken>,
    isRecorded: boolean,
  ): PublicError {
    const { logger } = this.#parts
    const which = { requestId, environment, drm: family.drm, customerId: account.id }
    if (outcome instanceof UpstreamRefusal && OF_OUR_ACCOUNT.has(outcome.code))
      logger.error({ ...which, errorCode: outcome.code }, 'the upstream refuses the account that it is asked for')
    if (!(outcome instanceof RequestFailure)) return outcome
    logger.warn({ ...which, failure: outcome.kind, reason: outcome.reason }, 'the upstream gave no answer')
    return tokenUnavailable(outcome, isRecorded)
  }
}

/** No caller can fix these: authenticator missing or wrong, account disabled, without tokens, without this DRM. */
const OF_OUR_ACCOUNT: ReadonlySet<number> = new Set([
  ...[-2017, -2018, -2031, -2019],
  ...TOKEN_FAMILIES.flatMap(({ disabled, unauthorised = disabled }) => [disabled.code, unauthorised.code]),
])

function askedOf({ environment, family, account }: Asking): Asked {
  return { environment, family, customerId: account.id }
}

export interface UpstreamIssuerParts {
  readonly upstream: Upstream
  readonly authenticatorOf: (customerId: number, environment: Environment) => string
  readonly unknownParameters: 'pass' | 'drop'
  /** The licence URL for the caller, from the upstream's. */
  readonly licenceUrl: (upstreamUrl: string, order: TokenOrder) => string
  readonly ledger: Ledger
  readonly settlements: Settlements
  readonly logger: Logger
  readonly now: Now
  /** The time that all instances on the database share: another instance may have to determine a reservation's age. */
  readonly sharedNow: Now
}

function refusedEvent(order: TokenOrder, time: number, errorCode: number): LedgerEvent {
  return { ...issueEvent(order, time, undefined), event: 'token_refused', errorCode }
}

function unknownEvent(order: TokenOrder, time: number, errorCode: number): LedgerEvent {
  return { ...refusedEvent(order, time, errorCode), event: 'token_unknown' }
}

/** The ledger's event for a request without a token: a refusal only when the service certainly issued none. */
function eventOf(order: TokenOrder, time: number, outcome: Exclude<Outcome, UpstreamToken>): LedgerEvent {
  const isFailure = outcome instanceof RequestFailure
  const event = (isFailure ? outcome.mayHaveArrived : outcome.mayHaveIssued) ? unknownEvent : refusedEvent
  return event(order, time, isFailure ? UNAVAILABLE : outcome.code)
}
