import type { SortedParameters } from '../../schemas/sorting.js'
import { TokenRequestSchema } from '../../schemas/token-request.js'
import type { TokenFamily } from '../drm/family.js'
import { orUnavailable, PublicError, TokenError, UNAVAILABLE } from '../errors/public-error.js'
import type { Now } from '../ground/clock.js'
import type { Environment } from '../ground/environment.js'
import { InFlight } from '../ground/in-flight.js'
import type { Idempotency, KeyedToken } from '../idempotency/idempotency.js'
import type { Ledger } from '../ledger/ledger.js'
import type { Tell } from '../limits/rate-limits.js'
import { accountOf, type TokenCourse, type TokenStepName, type TokenStepParts, take, tokenOf } from './steps.js'

export interface TokenRequest {
  readonly parameters: SortedParameters
  readonly environment: Environment
  readonly host: string
  readonly requestId: string
  readonly idempotencyKey?: string | undefined
  /** Where the account stands against its limit. */
  readonly tell: Tell
}

/** Whose request it is. What is refused here is in nobody's log. */
const WHOSE: readonly TokenStepName[] = ['credentials', 'account', 'limit']
const ALLOWED: readonly TokenStepName[] = ['enabled', 'drm']
/** From here on one Idempotency-Key has one outcome. */
const WHAT: readonly TokenStepName[] = ['keys', 'terms', 'device']
const ISSUE: readonly TokenStepName[] = ['issue']

/** The token requests of one DRM: the steps of a token, with the customer's log and idempotency around them. */
export class TokenRequests {
  readonly schema: TokenRequestSchema
  readonly #parts: TokenRequestParts
  readonly #inFlight = new InFlight()
  #isClosing = false

  constructor(
    readonly family: TokenFamily,
    parts: TokenRequestParts,
  ) {
    this.schema = new TokenRequestSchema(family, parts.now)
    this.#parts = parts
  }

  async answer(request: TokenRequest): Promise<KeyedToken> {
    if (this.#isClosing) throw new TokenError({ code: UNAVAILABLE, details: 'the server is shutting down' })
    this.#inFlight.begin()
    try {
      return await this.#answer(request)
    } finally {
      this.#inFlight.end()
    }
  }

  /** Waits until what is in flight is in the log and remembered: its caller may be gone long before. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#inFlight.idle()
  }

  async #answer(request: TokenRequest): Promise<KeyedToken> {
    const course = this.#courseOf(request)
    await take(WHOSE, course, this.#parts)
    try {
      await take(ALLOWED, course, this.#parts)
      const { idempotencyKey } = request
      return await (idempotencyKey === undefined
        ? this.#issue(course)
        : this.#issueOnce(course, request.parameters, idempotencyKey))
    } catch (error) {
      if (isRefusal(error)) await this.#recordRefusal(course, request.parameters, error.code)
      throw error
    }
  }

  #courseOf({ parameters, environment, host, requestId, tell }: TokenRequest): TokenCourse {
    const { schema, family } = this
    const source = {
      family,
      parameters,
      readCredentials: () => schema.readCredentials(parameters),
      readKeys: () => schema.readKeys(parameters),
      readTerms: ({ drm }: { readonly drm: Readonly<Record<string, boolean>> }) => schema.readTerms(parameters, drm),
    }
    return { source, environment, host, requestId, tell }
  }

  async #issue(course: TokenCourse): Promise<KeyedToken> {
    await take(WHAT, course, this.#parts)
    return tokenOf(await take(ISSUE, course, this.#parts))
  }

  /** Of a key that was used before the answer is the same, and nothing below is done again. */
  #issueOnce(course: TokenCourse, parameters: SortedParameters, key: string): Promise<KeyedToken> {
    const { environment, requestId } = course
    const { issuer } = this.#parts
    const account = accountOf(course)
    const asking = { account, environment, requestId }
    const { drm } = this.family
    const keyed = { key, drm, customerId: account.id, environment, parameters, requestId }
    return this.#parts.idempotency.once(keyed, {
      issue: () => this.#issue(course),
      isPossible: () => issuer.hasCapacity?.(asking) ?? true,
      refuse: async () => {
        // Its own faults come first, as without a key.
        await take(WHAT, course, this.#parts)
        issuer.requireCapacity?.(asking)
      },
    })
  }

  /** The customer's log has what was refused, too: of the request, as much as is in order. */
  async #recordRefusal(course: TokenCourse, parameters: SortedParameters, errorCode: number): Promise<void> {
    const recording = this.#parts.ledger.append({
      customerId: accountOf(course).id,
      environment: course.environment,
      time: this.#parts.now(),
      event: 'token_refused',
      drm: this.family.drm,
      ...this.schema.readWhatHolds(parameters),
      errorCode,
      requestId: course.requestId,
    })
    await orUnavailable(recording)
  }
}

export interface TokenRequestParts extends TokenStepParts {
  readonly idempotency: Idempotency
  readonly ledger: Ledger
  readonly now: Now
}

/** A failure of ours is none, and some the issuer has written down already. */
function isRefusal(error: unknown): error is PublicError {
  return error instanceof PublicError && error.status < 500 && !error.isRecorded
}
