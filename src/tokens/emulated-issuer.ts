import { LONGEST_LIFE } from '../../schemas/restrictions.js'
import type { IssuedToken } from '../drm/family.js'
import { licenceUrl } from '../drm/licence-urls.js'
import { orUnavailable, TokenError } from '../errors/public-error.js'
import type { Now } from '../ground/clock.js'
import type { Ledger } from '../ledger/ledger.js'
import { ByteWriter } from './bytes.js'
import { issueEvent, type OrderedKey, type TokenIssuer, type TokenOrder, usedUpError } from './issuer.js'
import { encodeContent, type TokenKey } from './token-content.js'
import { type SealedToken, type TokenVault, VAULT_OVERHEAD } from './vault.js'

/** So that the token fits into a URL or a header of 8 KB. */
const LONGEST_TOKEN = 8000
const MOST_CONTENT = (LONGEST_TOKEN / 4) * 3 - VAULT_OVERHEAD
const TOO_LONG = `with the payloads of all its keys the token would be longer than ${LONGEST_TOKEN} characters`

/** Seals the whole order into the token. */
export class EmulatedIssuer implements TokenIssuer {
  readonly hasKeyStorage = false
  readonly #parts: EmulatedIssuerParts
  readonly #writer = new ByteWriter()

  constructor(parts: EmulatedIssuerParts) {
    this.#parts = parts
  }

  async issue(order: TokenOrder): Promise<IssuedToken> {
    const issuedAt = this.#parts.now()
    const { id, token } = this.#seal(order, issuedAt)
    await this.#record(order, issuedAt, id)
    return { token, licenseAcquisitionUrl: licenceUrl(order.family, this.#parts.publicUrl, order) }
  }

  #seal({ account, environment, family, keys, restrictions }: TokenOrder, issuedAt: number): SealedToken {
    if (!areComplete(keys)) throw new Error('a key without its content key')
    const { expirationTime, deviceId, ipAddress, cookie } = restrictions
    const expiresAt = expirationTime ?? issuedAt + LONGEST_LIFE
    const content = { drm: family.drm, environment, issuedAt, expiresAt, deviceId, ipAddress, cookie, keys }
    const encoded = encodeContent(content, family, this.#writer)
    if (encoded.length > MOST_CONTENT) throw new TokenError({ ...family.tooLong, details: TOO_LONG })
    return this.#parts.vault.seal(account.id, encoded)
  }

  async #record(order: TokenOrder, issuedAt: number, id: string): Promise<void> {
    const recording = this.#parts.ledger.recordIssue(issueEvent(order, issuedAt, id))
    const outcome = await orUnavailable(recording, { mayHaveIssued: true })
    if (outcome !== 'recorded') throw usedUpError(outcome, issuedAt)
  }
}

export interface EmulatedIssuerParts {
  readonly vault: TokenVault
  readonly ledger: Ledger
  readonly now: Now
  /** Where clients reach us; without one it is the host that the request was sent to. */
  readonly publicUrl: URL | undefined
}

function areComplete(keys: readonly OrderedKey[]): keys is readonly TokenKey[] {
  return keys.every(({ contentKey }) => contentKey !== undefined)
}
