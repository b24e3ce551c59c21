import type { Now } from '../../schemas/rules.js'
import type { SortedParameters } from '../../schemas/sorting.js'
import type { TokenRequestSchema } from '../../schemas/token-request.js'
import type { Account, Accounts } from '../accounts/accounts.js'
import { requireAccount, requireEnabled } from '../accounts/authentication.js'
import type { Environment } from '../environment.js'
import { type ErrorCode, orUnavailable, TokenError } from '../errors.js'
import type { KeyStorage } from '../keys/key-storage.js'
import { type ResolvedKey, resolveContentKeys } from '../keys/resolve.js'
import type { Ledger } from '../ledger/ledger.js'
import type { TokenKey, TokenPolicy } from './content.js'
import type { IssuedToken, TokenIssuer, TokenOrder } from './issuer.js'

export interface TokenRequest {
  readonly parameters: SortedParameters
  readonly environment: Environment
  readonly host: string
  readonly requestId: string
}

/** The way of a token request, step by step. Each step throws the documented error that ends it. */
export class TokenRequests {
  readonly #schema: TokenRequestSchema
  readonly #parts: TokenRequestParts

  constructor(schema: TokenRequestSchema, parts: TokenRequestParts) {
    this.#schema = schema
    this.#parts = parts
  }

  async answer(request: TokenRequest): Promise<IssuedToken> {
    const authenticator = this.#schema.readCredentials(request.parameters)
    const account = await requireAccount(this.#parts.accounts, authenticator, request.environment)
    try {
      return await this.#issue(request, account)
    } catch (error) {
      if (isRefusal(error)) await this.#recordRefusal(request, account, error.code)
      throw error
    }
  }

  async #issue(request: TokenRequest, account: Account): Promise<IssuedToken> {
    const { parameters, environment } = request
    requireEnabled(account)
    requirePlayready(account)
    const owner = { customerId: account.id, environment }
    const contentKeys = await resolveContentKeys(this.#schema.readKeys(parameters), owner, this.#parts.keyStorage)
    const { policies, restrictions, useHttps } = this.#schema.readTerms(parameters)
    const keys = withPolicies(contentKeys, policies)
    const order = { account, environment, drm: 'playready', keys, restrictions, useHttps, host: request.host } as const
    const issued = await this.#parts.issuer.issue(order)
    await this.#record(order, issued, request.requestId)
    return issued
  }

  async #record(order: TokenOrder, issued: IssuedToken, requestId: string): Promise<void> {
    const recording = this.#parts.ledger.recordIssue({
      customerId: order.account.id,
      environment: order.environment,
      time: this.#parts.now(),
      event: 'token_issued',
      drm: order.drm,
      tokenId: issued.id,
      kids: order.keys.map(({ kid }) => kid),
      cookie: order.restrictions.cookie,
      deviceId: order.restrictions.deviceId,
      ipAddress: order.restrictions.ipAddress,
      rightsType: order.keys[0]?.policy.rightsType,
      errorCode: 0,
      requestId,
    })
    if ((await orUnavailable(recording)) === 'balance used up') throw new TokenError({ code: BALANCE_USED_UP })
  }

  /** The customer's log tells what was refused, too: of the request, as much as is in order. */
  async #recordRefusal(request: TokenRequest, account: Account, errorCode: ErrorCode): Promise<void> {
    const recording = this.#parts.ledger.append({
      customerId: account.id,
      environment: request.environment,
      time: this.#parts.now(),
      event: 'token_refused',
      drm: 'playready',
      ...this.#schema.readWhatHolds(request.parameters),
      errorCode,
      requestId: request.requestId,
    })
    await orUnavailable(recording)
  }
}

export interface TokenRequestParts {
  readonly accounts: Accounts
  readonly keyStorage: KeyStorage
  readonly issuer: TokenIssuer
  readonly ledger: Ledger
  readonly now: Now
}

const BALANCE_USED_UP = -2019

/** A failure of ours is none; and the ledger itself writes down that a balance is used up. */
function isRefusal(error: unknown): error is TokenError {
  return error instanceof TokenError && error.status < 500 && error.code !== BALANCE_USED_UP
}

function requirePlayready({ drm }: Account): void {
  if (!drm.playready) throw new TokenError({ code: -5002 })
}

function withPolicies(keys: readonly ResolvedKey[], policies: readonly TokenPolicy[]): TokenKey[] {
  return keys.map(({ kid, contentKey, algId }, index) => {
    const policy = policies[index]
    if (policy === undefined) throw new Error('a key without a policy')
    return { kid, contentKey, algId, policy }
  })
}
