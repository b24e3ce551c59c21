import type { Restrictions } from '../../schemas/restrictions.js'
import type { SortedParameters } from '../../schemas/sorting.js'
import type { IssuedToken, TokenFamily } from '../drm/family.js'
import { TokenError } from '../errors/public-error.js'
import type { Environment } from '../ground/environment.js'
import type { TokenFlaw } from '../ground/request-trace.js'
import type { LedgerEvent } from '../ledger/ledger.js'
import type { Account } from '../store/account-records.js'
import { dayOf, startOfDay, type UsedUp } from '../store/engine.js'
import type { TokenKey } from './token-content.js'

/** Everything that a token is made from, validated and resolved. */
export interface TokenOrder {
  readonly account: Account
  readonly environment: Environment
  readonly family: TokenFamily
  readonly keys: readonly OrderedKey[]
  readonly restrictions: Restrictions
  /** The scheme of the licence URL, where the request or the catalogue says it. */
  readonly useHttps: boolean | undefined
  /** The host that the client addressed, as its Host header says. */
  readonly host: string
  /** Whether it came over TLS, as far as we or a trusted proxy know. */
  readonly isSecure: boolean
  readonly requestId: string
  /** The parameters as the request has them. */
  readonly source: { readonly parameters: SortedParameters }
  /** What shall be wrong with the token, in an emulator that was told so. */
  readonly flaw?: TokenFlaw | undefined
}

/** Without a content key, the issuer must have it. */
export type OrderedKey = Omit<TokenKey, 'contentKey'> & { readonly contentKey: string | undefined }

/** The caller of a token request, before its keys and terms are read. */
export type Asking = Pick<TokenOrder, 'account' | 'environment' | 'family' | 'requestId'>

/** Makes tokens itself, or asks another service for them. */
export interface TokenIssuer {
  /** Whether it has its own key storage, for keys that ours does not hold. */
  readonly hasKeyStorage: boolean
  /** Whether it uses a default for a missing parameter; another service may do what it likes. */
  readonly assumesParameters: boolean
  /** `false` where `requireCapacity` would throw. */
  hasCapacity?(asking: Asking): boolean
  /** Throws the refusal of a request that cannot succeed now. */
  requireCapacity?(asking: Asking): void
  /** What it resolves is in the ledger, durable and paid for. */
  issue(order: TokenOrder): Promise<IssuedToken>
}

/** The ledger event of an issued token. */
export function issueEvent(order: TokenOrder, time: number, tokenId: string | undefined): LedgerEvent {
  const { account, environment, family, keys, restrictions, requestId } = order
  return {
    customerId: account.id,
    environment,
    time,
    event: 'token_issued',
    drm: family.drm,
    tokenId,
    kids: keys.map(({ kid }) => kid),
    cookie: restrictions.cookie,
    deviceId: restrictions.deviceId,
    ipAddress: restrictions.ipAddress,
    rightsType: keys[0]?.policy.rightsType,
    errorCode: 0,
    requestId,
  }
}

/** The error of a used-up balance or quota; the ledger has recorded the refusal already. */
export function usedUpError(why: UsedUp, now: number): TokenError {
  if (why === 'balance used up') return new TokenError({ code: -2019 }, { isRecorded: true })
  const retryAfter = Math.ceil((startOfDay(dayOf(now) + 1) - now) / 1000)
  const details = 'the quota of today is used up'
  return new TokenError({ code: -2019, details }, { status: 429, retryAfter, isRecorded: true })
}
