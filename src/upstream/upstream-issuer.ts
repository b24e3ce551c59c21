import type { Logger } from 'pino'
import type { Now } from '../../schemas/rules.js'
import type { Environment } from '../environment.js'
import { framesOf, orUnavailable, TokenError, UNAVAILABLE } from '../errors.js'
import type { Ledger, LedgerEvent, Reservation } from '../ledger/ledger.js'
import { type IssuedToken, issueEvent, type TokenIssuer, type TokenOrder } from '../tokens/issuer.js'
import { tokenIdOf } from '../tokens/vault.js'
import { UpstreamRefusal, type UpstreamToken } from './answer.js'
import type { UpstreamRequest } from './exchange.js'
import { UpstreamFailure } from './failure.js'
import { upstreamParameters } from './form.js'

/** The real service, as far as it can be asked. */
export interface Upstream {
  /** Throws an UpstreamFailure where it makes no sense to ask now: it is down, or too many ask already. */
  requireCapacity(environment: Environment): void
  /** Throws an UpstreamRefusal or an UpstreamFailure where there is no token. */
  ask(request: UpstreamRequest): Promise<UpstreamToken>
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
    const request = this.#request(order)
    try {
      this.#parts.upstream.requireCapacity(order.environment)
    } catch (failure) {
      throw this.#failed(order, failure)
    }
    const reservation = await this.#reserve(order)
    const token = await this.#parts.upstream.ask(request).catch(async failure => {
      await this.#settle(reservation, eventOf(order, this.#parts.now(), failure))
      throw this.#failed(order, failure)
    })
    await this.#settle(reservation, issueEvent(order, this.#parts.now(), tokenIdOf(token.token)))
    return { token: token.token, licenseAcquisitionUrl: this.#parts.licenceUrl(token.licenseAcquisitionUrl, order) }
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
    const reserved = await orUnavailable(this.#parts.ledger.reserve(issueEvent(order, this.#parts.now(), undefined)))
    if (reserved === 'balance used up') throw new TokenError({ code: -2019 }, { isRecorded: true })
    return reserved
  }

  /** The answer is worth more than its line in the log: without one, the reservation tells that its outcome is unknown. */
  async #settle(reservation: Reservation, event: LedgerEvent): Promise<void> {
    const { ledger, logger } = this.#parts
    await ledger.settle(reservation, event).catch((error: Error) => {
      const { requestId } = event
      logger.error({ requestId, error: error.name, stack: framesOf(error) }, 'what became of a token was not recorded')
    })
  }

  #failed({ requestId, environment }: TokenOrder, failure: unknown): unknown {
    if (!(failure instanceof UpstreamFailure)) return failure
    const { kind, status, details, retryAfter } = failure
    this.#parts.logger.warn({ requestId, environment, failure: kind }, 'the upstream gave no answer')
    return new TokenError({ code: UNAVAILABLE, details }, { status, retryAfter, isRecorded: true })
  }
}

export interface UpstreamIssuerParts {
  readonly upstream: Upstream
  readonly authenticatorOf: (customerId: number, environment: Environment) => string
  readonly unknownParameters: 'pass' | 'drop'
  /** What of the upstream's URL the caller gets to see. */
  readonly licenceUrl: (upstreamUrl: string, order: TokenOrder) => string
  readonly ledger: Ledger
  readonly logger: Logger
  readonly now: Now
}

/** What the ledger says of a request that brought no token: only what is certain is a refusal. */
function eventOf(order: TokenOrder, time: number, failure: unknown): LedgerEvent {
  const isCertain =
    failure instanceof UpstreamRefusal
      ? !failure.mayHaveIssued
      : failure instanceof UpstreamFailure && !failure.mayHaveArrived
  return {
    ...issueEvent(order, time, undefined),
    event: isCertain ? 'token_refused' : 'token_unknown',
    errorCode: failure instanceof UpstreamRefusal ? failure.code : UNAVAILABLE,
  }
}
