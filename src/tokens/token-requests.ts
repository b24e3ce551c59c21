import type { KeyRequest } from '../../schemas/keys.js'
import type { SortedParameters } from '../../schemas/sorting.js'
import { TokenRequestSchema, type TokenTerms } from '../../schemas/token-request.js'
import type { TokenFamily } from '../drm/family.js'
import { orUnavailable, PublicError, TokenError, UNAVAILABLE } from '../errors/public-error.js'
import type { Now } from '../ground/clock.js'
import { InFlight } from '../ground/in-flight.js'
import { andThen, type MaybePromise } from '../ground/maybe-promise.js'
import type { Idempotency, KeyedToken } from '../idempotency/idempotent-requests.js'
import type { Ledger } from '../ledger/ledger.js'
import type { Account } from '../store/account-records.js'
import {
  accountOf,
  ISSUING,
  type TokenContext,
  TokenProgress,
  type TokenSource,
  type TokenStepParts,
  TokenSteps,
  tokenOf,
} from './token-steps.js'

export interface TokenRequest extends TokenContext {
  readonly parameters: SortedParameters
  readonly idempotencyKey?: string | undefined
}

const ADMISSION = new TokenSteps('credentials', 'account', 'limit', 'enabled', 'drm')
const ISSUING_BUT_LAST = new TokenSteps('keys', 'terms', 'device')

/** The token requests of one DRM: the token steps, wrapped by the customer's log and idempotency. */
export class TokenRequests {
  readonly #parts: TokenRequestParts
  readonly #inFlight = new InFlight()
  #schema: TokenRequestSchema | undefined
  #isClosing = false

  constructor(
    readonly family: TokenFamily,
    parts: TokenRequestParts,
  ) {
    this.#parts = parts
  }

  /** Made for the first request: it takes long, and a process seldom needs every DRM. */
  get schema(): TokenRequestSchema {
    this.#schema ??= new TokenRequestSchema(this.family, this.#parts.now, this.#parts.strictParameters)
    return this.#schema
  }

  /** What is assumed for this request: the header `x-assumed-parameters`. */
  describeAssumed(parameters: SortedParameters): string {
    if (this.family.assumed === undefined || !this.#parts.issuer.assumesParameters) return ''
    return this.schema.describeAssumed(parameters)
  }

  async answer(request: TokenRequest): Promise<KeyedToken> {
    if (this.#isClosing) throw new TokenError({ code: UNAVAILABLE, details: 'the server is shutting down' })
    const progress = new TokenProgress(new RequestSource(this.family, this.schema, request.parameters), request)
    const { idempotencyKey } = request
    this.#inFlight.begin()
    try {
      const admitting = ADMISSION.take(progress, this.#parts)
      if (admitting !== undefined) await admitting
      return await (idempotencyKey === undefined
        ? this.#issue(progress)
        : this.#issueOnce(progress, request.parameters, idempotencyKey))
    } catch (error) {
      if (progress.isWithinLimit && isRefusal(error)) await this.#recordRefusal(progress, request.parameters, error)
      throw error
    } finally {
      this.#inFlight.end()
    }
  }

  /** Waits until requests in flight are logged and their outcomes stored, even if their clients are gone. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#inFlight.idle()
  }

  #issue(progress: TokenProgress): MaybePromise<KeyedToken> {
    return andThen(ISSUING.take(progress, this.#parts), () => tokenOf(progress))
  }

  /** A key that was used before gets the same answer, and no step below runs again. */
  #issueOnce(progress: TokenProgress, parameters: SortedParameters, key: string): Promise<KeyedToken> {
    const { environment, requestId } = progress.context
    const { issuer } = this.#parts
    const account = accountOf(progress)
    const asking = { account, environment, family: this.family, requestId }
    const { name: drm } = this.family
    const keyed = { key, drm, customerId: account.id, environment, parameters, requestId }
    return this.#parts.idempotency.once(keyed, {
      issue: async () => this.#issue(progress),
      isPossible: () => issuer.hasCapacity?.(asking) ?? true,
      refuse: async () => {
        // Faults of the request come first, as without a key.
        await ISSUING_BUT_LAST.take(progress, this.#parts)
        issuer.requireCapacity?.(asking)
      },
    })
  }

  /** Refusals are in the customer's log, with those parameters that are valid. */
  async #recordRefusal(progress: TokenProgress, parameters: SortedParameters, refusal: PublicError): Promise<void> {
    const { id: customerId } = accountOf(progress)
    const recording = this.#parts.ledger.append({
      customerId,
      environment: progress.context.environment,
      time: this.#parts.now(customerId),
      event: 'token_refused',
      drm: this.family.drm,
      ...this.schema.readWhatHolds(parameters),
      errorCode: refusal.code,
      requestId: progress.context.requestId,
      isInjected: refusal.isInjected,
    })
    await orUnavailable(recording)
  }
}

export interface TokenRequestParts extends TokenStepParts {
  readonly idempotency: Idempotency
  readonly ledger: Ledger
  readonly now: Now
  /** Whether nothing is assumed, unless an account says otherwise. */
  readonly strictParameters: boolean
}

/** A 5xx is a failure of this service, not a refusal. Some refusals are recorded by the issuer. */
function isRefusal(error: unknown): error is PublicError {
  return error instanceof PublicError && error.status < 500 && !error.isRecorded
}

/** A token that its request's parameters describe. */
class RequestSource implements TokenSource {
  constructor(
    readonly family: TokenFamily,
    private readonly schema: TokenRequestSchema,
    readonly parameters: SortedParameters,
  ) {}

  readCredentials(): string {
    return this.schema.readCredentials(this.parameters)
  }

  readKeys(): readonly KeyRequest[] {
    return this.schema.readKeys(this.parameters)
  }

  readTerms(account: Account): TokenTerms {
    return this.schema.readTerms(this.parameters, account)
  }
}
