import type { ViewerClaim } from '../../schemas/licences.js'
import { type Accounts, requireEnabled } from '../accounts/authentication.js'
import type { Families } from '../drm/families.js'
import type { AskedService } from '../entitlement/asked-service.js'
import { orUnavailable, PublicError, type StatusError, TokenError } from '../errors/public-error.js'
import type { Now } from '../ground/clock.js'
import { canonicalAddress } from '../ground/ip-addresses.js'
import type { RequestTrace } from '../ground/request-trace.js'
import type { Ledger, LedgerEvent, NotRedeemed } from '../ledger/ledger.js'
import type { Account } from '../store/account-records.js'
import { type CountedRedemption, UNLIMITED } from '../store/engine.js'
import { serviceId } from '../store/tables.js'
import type { RedemptionRepository } from '../store/token-repositories.js'
import {
  type Asked,
  invalidToken,
  type RedeemingDrm,
  type Redemption,
  requireAddress,
  requireAuthentic,
  requireDevice,
  requireFamily,
  requireKeys,
  requireOneToken,
  requireRunningRental,
  requireUnexpired,
} from './redemption-checks.js'
import type { RepeatedRefusals } from './repeated-refusals.js'
import type { ReadToken, TokenKey } from './token-content.js'
import type { TokenVault } from './vault.js'

/** A player's key request, of any DRM. */
export interface RedemptionRequest {
  readonly family: RedeemingDrm
  /** From every place where the request has one. */
  readonly tokens: readonly string[]
  readonly asked: Asked
  /** What it says of its viewer, for the entitlement service. */
  readonly claim: ViewerClaim | StatusError
  /** Where it comes from. */
  readonly address: string
  readonly deviceId: string | undefined
  readonly requestId: string
  /** Where requests are traced. */
  readonly trace?: RequestTrace | undefined
}

/** Redeeming a token, step by step (spec: licence.md). Each step throws the documented error that ends it. */
export class TokenRedemption {
  readonly #parts: TokenRedemptionParts

  constructor(parts: TokenRedemptionParts) {
    this.#parts = parts
  }

  async redeem(request: RedemptionRequest): Promise<Redemption> {
    const { vault, families } = this.#parts
    const token = requireAuthentic(vault, families, requireOneToken(await this.#tokensOf(request)))
    const account = await this.#accountOf(token)
    request.trace?.noteOwner(token, request.family.drm)
    try {
      return await this.#grant(request, token, account)
    } catch (error) {
      if (isRefusal(error)) await this.#recordRefusal(request, token, error)
      throw error
    }
  }

  /** The keys that a request would be granted, or the refusal. Nothing is counted, paid or logged, and no other service asked. */
  async foresee(request: ForeseenRequest, token: ReadToken, now = this.#parts.now()): Promise<readonly TokenKey[]> {
    const account = await this.#accountOf(token)
    const keys = grantedKeys(request, token, { account, now })
    requirePayable(token)
    const counted = countingOf(token, account)
    if (counted === undefined) return keys
    const service = serviceId(token.customerId, token.environment)
    const outcome = await orUnavailable(this.#parts.redemptions.foresee({ service, tokenId: token.id, ...counted }))
    if (outcome !== undefined) throw notRedeemed(outcome, account)
    return keys
  }

  async #grant(request: RedemptionRequest, token: ReadToken, account: Account): Promise<Redemption> {
    const keys = grantedKeys(request, token, { account, now: this.#parts.now(token.customerId) })
    await this.#requireEntitlement(request, { token, keys })
    await request.trace?.passed('granted')
    await this.#record(request, { token, keys }, account)
    return { token, keys }
  }

  /** A key request may omit the token if an entitlement service provides one. */
  async #tokensOf({ tokens, claim, family, requestId }: RedemptionRequest): Promise<readonly string[]> {
    if (bringsToken(tokens)) return tokens
    return (await this.#parts.askedService?.tokensFor(claim, family.drm, requestId)) ?? []
  }

  /** A token that the entitlement service has just provided needs no second question. */
  async #requireEntitlement({ tokens, claim, requestId }: RedemptionRequest, redemption: Redemption): Promise<void> {
    if (bringsToken(tokens)) await this.#parts.askedService?.requireAllowed({ ...redemption, claim, requestId })
  }

  /** A customer who is no longer in the database counts as disabled. */
  async #accountOf(token: ReadToken): Promise<Account> {
    const account = await orUnavailable(this.#parts.accounts.find(token.customerId))
    if (account === undefined) throw new TokenError({ code: -2031 })
    return account
  }

  /** The last step, so that no refusal counts as a redemption. */
  async #record(request: RedemptionRequest, { token, keys }: Redemption, account: Account): Promise<void> {
    const event = this.#event(request, token, {
      event: 'token_redeemed',
      kids: keys.map(({ kid }) => kid),
      rightsType: keys[0]?.policy.rightsType,
      errorCode: 0,
    })
    requirePayable(token)
    const counted = countingOf(token, account)
    if (counted === undefined) return orUnavailable(this.#parts.ledger.append(event))
    const outcome = await orUnavailable(this.#parts.ledger.redeem(event, counted))
    if (outcome !== 'recorded') throw notRedeemed(outcome, account)
  }

  async #recordRefusal(request: RedemptionRequest, token: ReadToken, { code, isInjected }: PublicError): Promise<void> {
    const event = this.#event(request, token, {
      event: 'redemption_refused',
      kids: askedKids(request.asked, token),
      rightsType: token.keys[0]?.policy.rightsType,
      errorCode: code,
      isInjected,
    })
    if (this.#parts.refusals.isWritten(event)) await orUnavailable(this.#parts.ledger.append(event))
  }

  #event(request: RedemptionRequest, token: ReadToken, what: Outcome): LedgerEvent {
    return {
      customerId: token.customerId,
      environment: token.environment,
      time: this.#parts.now(token.customerId),
      drm: request.family.drm,
      tokenId: token.id,
      cookie: token.cookie,
      deviceId: request.deviceId,
      ipAddress: canonicalAddress(request.address),
      requestId: request.requestId,
      ...what,
    }
  }
}

export interface TokenRedemptionParts {
  readonly vault: TokenVault
  readonly families: Families
  readonly accounts: Accounts
  readonly ledger: Ledger
  readonly refusals: RepeatedRefusals
  /** What is counted of redemptions, for one that is foreseen. */
  readonly redemptions: Pick<RedemptionRepository, 'foresee'>
  /** The entitlement service that must allow a licence, if one is configured. */
  readonly askedService: AskedService | undefined
  readonly now: Now
}

/** What a redemption is granted by. */
export type ForeseenRequest = Pick<RedemptionRequest, 'family' | 'asked' | 'address' | 'deviceId'>

/** All checks of a request that need nothing but its token and the account. */
function grantedKeys(
  { family, asked, address, deviceId }: ForeseenRequest,
  token: ReadToken,
  { account, now }: { readonly account: Account; readonly now: number },
): readonly TokenKey[] {
  requireEnabled(account)
  requireFamily(token, family)
  requireUnexpired(token, now)
  requireAddress(token, address)
  requireDevice(token, deviceId)
  const keys = requireKeys(token, asked)
  requireRunningRental(keys, now)
  return keys
}

/** How a redemption is counted; `undefined` where it is only logged. */
function countingOf({ charge, expiresAt }: ReadToken, { maxRedemptions }: Account): CountedRedemption | undefined {
  const pays = charge === 'redemption'
  if (maxRedemptions === null && !pays) return undefined
  return { most: maxRedemptions ?? UNLIMITED, expiresAt, pays }
}

/** A tester can have tokens issued whose redemption nobody pays for. */
function requirePayable({ isUnpayable }: ReadToken): void {
  if (isUnpayable) throw new TokenError({ code: -2019 }, { isInjected: true })
}

function notRedeemed(why: NotRedeemed, { maxRedemptions }: Account): TokenError {
  if (why === 'balance used up') return new TokenError({ code: -2019 })
  return invalidToken(`it was redeemed as often as it may be, which is ${maxRedemptions}`)
}

type Outcome = Pick<LedgerEvent, 'event' | 'kids' | 'rightsType' | 'errorCode' | 'isInjected'>

function bringsToken(tokens: readonly string[]): boolean {
  return tokens.length > 0
}

/** No token has more keys; a challenge that asks for more must not fill the log. */
const MOST_LOGGED = 16

function askedKids(asked: Asked, token: ReadToken): readonly string[] {
  if ('fault' in asked) return []
  return asked.kids === 'all' ? token.keys.map(({ kid }) => kid) : [...new Set(asked.kids)].slice(0, MOST_LOGGED)
}

/** A 5xx is a failure of this service, not a refusal. */
function isRefusal(error: unknown): error is PublicError {
  return error instanceof PublicError && error.status < 500
}
