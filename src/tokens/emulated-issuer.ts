import { LONGEST_LIFE } from '../../schemas/restrictions.js'
import type { IssuedToken } from '../drm/family.js'
import { licenceUrl, type ReachedAt } from '../drm/licence-urls.js'
import { orUnavailable, TokenError } from '../errors/public-error.js'
import type { TokenStyle } from '../ground/account-choices.js'
import type { Now } from '../ground/clock.js'
import type { Ledger } from '../ledger/ledger.js'
import { ByteWriter } from './bytes.js'
import { issueEvent, type OrderedKey, type TokenIssuer, type TokenOrder, usedUpError } from './issuer.js'
import { encodeContent, type TokenContent, type TokenKey } from './token-content.js'
import { corrupted, flawedContent } from './token-flaws.js'
import type { SealedToken, TokenVault } from './vault.js'

/** So that the token fits into a URL or a header of 8 KB. */
const LONGEST_TOKEN = 8000
const TOO_LONG = `with the payloads of all its keys the token would be longer than ${LONGEST_TOKEN} characters`

/** Seals the whole order into the token. */
export class EmulatedIssuer implements TokenIssuer {
  readonly hasKeyStorage = false
  readonly assumesParameters = true
  readonly #parts: EmulatedIssuerParts
  readonly #writer = new ByteWriter()

  constructor(parts: EmulatedIssuerParts) {
    this.#parts = parts
  }

  async issue(order: TokenOrder): Promise<IssuedToken> {
    const issuedAt = this.#parts.now(order.account.id)
    const { id, token } = this.#seal(order, issuedAt)
    const charge = order.flaw === 'unpaid' ? 'redemption' : order.account.charge
    const recording = this.#parts.ledger.recordIssue(issueEvent(order, issuedAt, id), charge)
    const outcome = await orUnavailable(recording, { mayHaveIssued: true })
    if (outcome !== 'recorded') throw usedUpError(outcome, issuedAt)
    return { token, licenseAcquisitionUrl: licenceUrl(order.family, this.#parts.reachedAt, order) }
  }

  #seal({ account, environment, family, keys, restrictions, flaw }: TokenOrder, issuedAt: number): SealedToken {
    if (!areComplete(keys)) throw new Error('a key without its content key')
    const { expirationTime, deviceId, ipAddress, cookie } = restrictions
    const expiresAt = expirationTime ?? issuedAt + LONGEST_LIFE
    const { charge } = account
    const { drm } = family
    const content: TokenContent = {
      drm,
      environment,
      issuedAt,
      expiresAt,
      deviceId,
      ipAddress,
      cookie,
      charge,
      keys,
    }
    const whole = flaw === undefined ? content : flawedContent(content, flaw)
    const encoded = encodeContent(whole, family, this.#writer)
    const outside = {
      customerId: account.id,
      style: account.tokenStyle ?? this.#parts.style,
      version: family.tokenVersion,
    }
    const sealed = this.#parts.vault.seal(outside, encoded)
    if (sealed.token.length > LONGEST_TOKEN) throw new TokenError({ ...family.tooLong, details: TOO_LONG })
    return flaw === 'corrupt' ? corrupted(sealed) : sealed
  }
}

export interface EmulatedIssuerParts {
  readonly vault: TokenVault
  /** Of accounts that have no style of their own. */
  readonly style: TokenStyle
  readonly ledger: Ledger
  readonly now: Now
  readonly reachedAt: ReachedAt
}

function areComplete(keys: readonly OrderedKey[]): keys is readonly TokenKey[] {
  return keys.every(({ contentKey }) => contentKey !== undefined)
}
