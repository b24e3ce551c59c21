import type { Families } from '../drm/families.js'
import type { ErrorCode, Fault } from '../errors/error-catalogue.js'
import { TokenError } from '../errors/public-error.js'
import { rfc3339 } from '../ground/clock.js'
import { CLEAR_KEY, type LicenceDrm, NO_KID } from '../ground/drms.js'
import { canonicalAddress } from '../ground/ip-addresses.js'
import { openToken, type ReadToken, type TokenContent, type TokenKey } from './token-content.js'
import type { TokenVault } from './vault.js'

/** What a challenge asks for: KIDs, all keys where only the DRM itself can read it, or a fault where it is unreadable. */
export type Asked = { readonly kids: readonly string[] | 'all' } | { readonly fault: Fault }

/** The DRM of a key request, and its refusal of another DRM's token where that is not `-4010`. */
export interface RedeemingDrm {
  readonly drm: LicenceDrm
  readonly otherDrm?: ErrorCode
}

/** What a licence is made from. */
export interface Redemption {
  readonly token: ReadToken
  readonly keys: readonly TokenKey[]
}

/** The token of a request, which may repeat it in several places. */
export function requireOneToken(given: readonly string[]): string {
  const [token, ...others] = new Set(given)
  if (token === undefined) throw invalidToken('no token was sent')
  if (others.length > 0) throw invalidToken('two different tokens were sent')
  return token
}

export function requireAuthentic(vault: TokenVault, families: Families, token: string): ReadToken {
  const read = openIfReadable(vault, families, token)
  if (read === undefined) throw invalidToken('it was not made by this service')
  return read
}

/** A token sealed by a newer version is authentic but unreadable here. */
export function openIfReadable(vault: TokenVault, families: Families, token: string): ReadToken | undefined {
  try {
    return openToken(vault, families, token)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Clear Key redeems every family's tokens, so that a browser without a DRM can be tested with them. */
export function requireFamily(token: TokenContent, { drm, otherDrm: code = -4010 }: RedeemingDrm): void {
  if (drm === CLEAR_KEY || drm === token.drm) return
  throw new TokenError({ code, details: `it is for ${token.drm}, not for ${drm}` })
}

export function requireUnexpired(token: TokenContent, now: number): void {
  if (token.expiresAt <= now) throw invalidToken(`it expired at ${rfc3339(token.expiresAt)}`)
}

export function requireAddress(token: TokenContent, address: string): void {
  if (token.ipAddress === undefined) return
  const bound = canonicalAddress(token.ipAddress)
  if (bound !== undefined && bound === canonicalAddress(address)) return
  throw new TokenError({ code: -2003, details: 'the token is bound to another address' }, { status: 403 })
}

export function requireDevice(token: TokenContent, deviceId: string | undefined): void {
  if (token.deviceId === undefined || token.deviceId === deviceId) return
  const details = deviceId === undefined ? 'the device gives no id' : 'the token is bound to another device'
  throw new TokenError({ code: -4001, details })
}

/** The requested keys, in the order of the request. */
export function requireKeys(token: TokenContent, asked: Asked): readonly TokenKey[] {
  if ('fault' in asked) throw new TokenError(asked.fault)
  if (asked.kids === 'all') return token.keys
  if (asked.kids.length === 0) throw new TokenError({ code: -4018, details: 'the challenge asks for no key' })
  const forAny = token.keys.find(key => key.kid === NO_KID)
  return [...new Set(asked.kids)].map(kid => {
    const key = token.keys.find(key => key.kid === kid) ?? (forAny && { ...forAny, kid })
    if (key === undefined) throw new TokenError({ code: -4022, details: `the token has no key for ${kid}` })
    return key
  })
}

export function requireRunningRental(keys: readonly TokenKey[], now: number): void {
  for (const { policy } of keys) {
    const end = policy['rental.periodEndTime']
    if (end !== undefined && end <= now) throw invalidToken(`the rental ended at ${rfc3339(end)}`)
  }
}

export function invalidToken(details: string): TokenError {
  return new TokenError({ code: -4010, details })
}
