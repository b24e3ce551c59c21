import type { TokenPolicy } from '../../schemas/policy.js'
import type { SortedParameters } from '../../schemas/sorting.js'
import { TokenRequestSchema } from '../../schemas/token-request.js'
import type { Accounts } from '../accounts/accounts.js'
import { requireAccount, requireDrm, requireEnabled } from '../accounts/authentication.js'
import type { TokenFamily } from '../drm/family.js'
import { orUnavailable, PublicError, TokenError, UNAVAILABLE } from '../errors/public-error.js'
import type { Now } from '../ground/clock.js'
import type { Environment } from '../ground/environment.js'
import { InFlight } from '../ground/in-flight.js'
import type { Idempotency, KeyedToken } from '../idempotency/idempotency.js'
import type { KeyStorage } from '../keys/key-storage.js'
import { type ResolvedKey, resolveContentKeys } from '../keys/resolve.js'
import type { Ledger } from '../ledger/ledger.js'
import type { AccountLimit, Tell } from '../limits/rate-limits.js'
import type { Account } from '../store/account-records.js'
import type { IssuedToken, OrderedKey, TokenIssuer, TokenOrder } from './issuer.js'

export interface TokenRequest {
  readonly parameters: SortedParameters
  readonly environment: Environment
  readonly host: string
  readonly requestId: string
  readonly idempotencyKey?: string | undefined
  /** Where the account stands against its limit. */
  readonly tell: Tell
}

/** The way of one DRM's token requests, step by step. Each step throws the documented error that ends it. */
export class TokenRequests {
  readonly schema: TokenRequestSchema
  readonly #parts: TokenRequestParts
  readonly #inFlight = new InFlight()
  #isClosing = false

  constructor(
    readonly family: TokenFamily,
    parts: TokenRequestParts,
  ) {
    this.schema = new TokenRequestSchema(family.policySchema, parts.now)
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

  /** Waits until what is under way is in the log and remembered: its caller may be gone long before. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#inFlight.idle()
  }

  async #answer(request: TokenRequest): Promise<KeyedToken> {
    const authenticator = this.schema.readCredentials(request.parameters)
    const account = await requireAccount(this.#parts.accounts, authenticator, request.environment)
    // Before its log: a flood must not fill it.
    this.#parts.limit.admit(account, request.environment, request.tell)
    try {
      requireEnabled(account)
      requireDrm(account, this.family)
      return await (request.idempotencyKey === undefined
        ? this.#issue(request, account)
        : this.#issueOnce(request, request.idempotencyKey, account))
    } catch (error) {
      if (isRefusal(error)) await this.#recordRefusal(request, account, error.code)
      throw error
    }
  }

  /** Of a key that was used before the answer is the same, and nothing below is done again. */
  #issueOnce(request: TokenRequest, key: string, account: Account): Promise<KeyedToken> {
    const { parameters, environment, requestId } = request
    const { issuer } = this.#parts
    const asking = { account, environment, requestId }
    const { drm } = this.family
    const keyed = { key, drm, customerId: account.id, environment, parameters, requestId }
    return this.#parts.idempotency.once(keyed, {
      issue: () => this.#issue(request, account),
      isPossible: () => issuer.hasCapacity?.(asking) ?? true,
      refuse: async () => {
        // Its own faults come first, as without a key.
        await this.#order(request, account)
        issuer.requireCapacity?.(asking)
      },
    })
  }

  async #issue(request: TokenRequest, account: Account): Promise<IssuedToken> {
    return this.#parts.issuer.issue(await this.#order(request, account))
  }

  async #order(request: TokenRequest, account: Account): Promise<TokenOrder> {
    const { parameters, environment, host, requestId } = request
    const { issuer } = this.#parts
    const owner = { customerId: account.id, environment }
    const contentKeys = await resolveContentKeys(this.schema.readKeys(parameters), owner, {
      storage: this.#parts.keyStorage,
      mayBeElsewhere: issuer.hasKeyStorage,
    })
    const { policies, restrictions, useHttps } = this.schema.readTerms(parameters)
    const keys = withPolicies(contentKeys, policies)
    const { family } = this
    return { account, environment, family, keys, restrictions, useHttps, host, requestId, parameters }
  }

  /** The customer's log tells what was refused, too: of the request, as much as is in order. */
  async #recordRefusal(request: TokenRequest, account: Account, errorCode: number): Promise<void> {
    const recording = this.#parts.ledger.append({
      customerId: account.id,
      environment: request.environment,
      time: this.#parts.now(),
      event: 'token_refused',
      drm: this.family.drm,
      ...this.schema.readWhatHolds(request.parameters),
      errorCode,
      requestId: request.requestId,
    })
    await orUnavailable(recording)
  }
}

export interface TokenRequestParts {
  readonly accounts: Accounts
  readonly limit: AccountLimit
  readonly keyStorage: KeyStorage
  readonly issuer: TokenIssuer
  readonly idempotency: Idempotency
  readonly ledger: Ledger
  readonly now: Now
}

/** A failure of ours is none, and some the issuer has written down already. */
function isRefusal(error: unknown): error is PublicError {
  return error instanceof PublicError && error.status < 500 && !error.isRecorded
}

function withPolicies(keys: readonly ResolvedKey[], policies: readonly TokenPolicy[]): OrderedKey[] {
  return keys.map(({ kid, contentKey, algId }, index) => {
    const policy = policies[index]
    if (policy === undefined) throw new Error('a key without a policy')
    return { kid, contentKey, algId, policy }
  })
}
