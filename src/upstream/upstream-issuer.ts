import type { Logger } from 'pino'
import type { IssuedToken } from '../drm/family.js'
import { orUnavailable, TokenError, UNAVAILABLE } from '../errors/public-error.js'
import type { Now } from '../ground/clock.js'
import type { Environment } from '../ground/environment.js'
import { type Ledger, type LedgerEvent, type Reservation, UnansweredReservation } from '../ledger/ledger.js'
import { type Asking, issueEvent, type TokenIssuer, type TokenOrder } from '../tokens/issuer.js'
import { usedUp } from '../tokens/used-up.js'
import { tokenIdOf } from '../tokens/vault.js'
import { UpstreamRefusal, type UpstreamToken } from './answer.js'
import type { UpstreamState } from './circuit.js'
import type { UpstreamRequest } from './exchange.js'
import { UpstreamFailure } from './failure.js'
import { upstreamParameters } from './form.js'
import { NotRecorded } from './replayed-exchange.js'
import type { Settlements } from './settlements.js'

/** The real service, as far as it can be asked. */
export interface Upstream {
  /** Throws an UpstreamFailure where it makes no sense to ask now: it is down, or too many ask already. */
  requireCapacity(environment: Environment, customerId: number): void
  /** Throws an UpstreamRefusal or an UpstreamFailure where there is no token. */
  ask(request: UpstreamRequest): Promise<UpstreamToken>
  /** Whether it is asked, where that can change. */
  readonly states?: Readonly<Record<Environment, UpstreamState>>
  close(): Promise<void>
}

/** Lets the real service make the token. The ledger knows of it before it is asked. */
export class UpstreamIssuer implements TokenIssuer {
  readonly hasKeyStorage = true
  readonly #parts: UpstreamIssuerParts

  constructor(parts: UpstreamIssuerParts) {
    this.#parts = parts
  }

  async issue(order: TokenOrder): Promise<IssuedToken> {
    const token = await this.#ask(order)
    return { token: token.token, licenseAcquisitionUrl: this.#parts.licenceUrl(token.licenseAcquisitionUrl, order) }
  }

  hasCapacity(asking: Asking): boolean {
    return this.#refusal(asking) === undefined
  }

  requireCapacity(asking: Asking): void {
    const failure = this.#refusal(asking)
    if (failure !== undefined) throw this.#failed(asking, failure, false)
  }

  /** For when nothing is under way. */
  async close(): Promise<void> {
    await this.#parts.upstream.close()
  }

  async #ask(order: TokenOrder): Promise<UpstreamToken> {
    const { upstream, settlements, now } = this.#parts
    const request = this.#request(order)
    this.requireCapacity(order)
    const reservation = await this.#reserve(order)
    let token: UpstreamToken
    try {
      token = await upstream.ask(request)
    } catch (failure) {
      await settlements.settle(reservation, eventOf(order, now(), failure))
      throw this.#failed(order, failure, true)
    }
    await settlements.settle(reservation, issueEvent(order, now(), tokenIdOf(token.token)))
    return token
  }

  #refusal({ environment, account }: Asking): UpstreamFailure | undefined {
    try {
      this.#parts.upstream.requireCapacity(environment, account.id)
      return undefined
    } catch (failure) {
      if (failure instanceof UpstreamFailure) return failure
      throw failure
    }
  }

  #request(order: TokenOrder): UpstreamRequest {
    const { account, environment } = order
    return {
      environment,
      customerId: account.id,
      authenticator: this.#parts.authenticatorOf(account.id, environment),
      parameters: upstreamParameters(order, this.#parts.unknownParameters),
    }
  }

  async #reserve(order: TokenOrder): Promise<Reservation> {
    const { ledger, settlements, now, sharedNow } = this.#parts
    const time = sharedNow()
    const reserving = ledger.reserve(issueEvent(order, time, undefined)).catch(error => {
      if (!(error instanceof UnansweredReservation)) throw error
      // The caller is refused, so nothing may stay paid for.
      settlements.giveBack(error.reservation, refusedEvent(order, now(), UNAVAILABLE))
      throw error.cause
    })
    const reserved = await orUnavailable(reserving)
    if (typeof reserved === 'string') throw usedUp(reserved, time)
    return reserved
  }

  /** What the caller is told of it, and the operator. */
  #failed({ requestId, environment, account }: Asking, failure: unknown, isRecorded: boolean): unknown {
    const { logger } = this.#parts
    const which = { requestId, environment, customerId: account.id }
    if (failure instanceof UpstreamRefusal && OF_OUR_ACCOUNT.has(failure.code))
      logger.error({ ...which, errorCode: failure.code }, 'the upstream refuses the account that it is asked for')
    if (!(failure instanceof UpstreamFailure)) return failure
    const { kind, reason, status, details, retryAfter, mayHaveArrived: mayHaveIssued } = failure
    logger.warn({ ...which, failure: kind, reason }, 'the upstream gave no answer')
    return new TokenError({ code: UNAVAILABLE, details }, { status, retryAfter, isRecorded, mayHaveIssued })
  }
}

/** What no caller can mend: authenticator missing or wrong, account disabled, without PlayReady, without tokens. */
const OF_OUR_ACCOUNT: ReadonlySet<number> = new Set([-2017, -2018, -2031, -5002, -2019])

export interface UpstreamIssuerParts {
  readonly upstream: Upstream
  readonly authenticatorOf: (customerId: number, environment: Environment) => string
  readonly unknownParameters: 'pass' | 'drop'
  /** What of the upstream's URL the caller gets to see. */
  readonly licenceUrl: (upstreamUrl: string, order: TokenOrder) => string
  readonly ledger: Ledger
  readonly settlements: Settlements
  readonly logger: Logger
  readonly now: Now
  /** As all instances on the database have it: another one may have to find out how old a reservation is. */
  readonly sharedNow: Now
}

function refusedEvent(order: TokenOrder, time: number, errorCode: number): LedgerEvent {
  return { ...issueEvent(order, time, undefined), event: 'token_refused', errorCode }
}

/** What the ledger says of a request that brought no token: only what is certain is a refusal. */
function eventOf(order: TokenOrder, time: number, failure: unknown): LedgerEvent {
  const isCertain =
    failure instanceof UpstreamRefusal
      ? !failure.mayHaveIssued
      : failure instanceof NotRecorded || (failure instanceof UpstreamFailure && !failure.mayHaveArrived)
  const refused = refusedEvent(order, time, failure instanceof UpstreamRefusal ? failure.code : UNAVAILABLE)
  return isCertain ? refused : { ...refused, event: 'token_unknown' }
}
