import { LONGEST_LIFE } from '../../schemas/restrictions.js'
import type { Now } from '../../schemas/rules.js'
import { orUnavailable } from '../errors.js'
import type { Ledger } from '../ledger/ledger.js'
import { licenceUrl } from '../licence-urls.js'
import { ByteWriter } from './bytes.js'
import { encodeContent, type TokenKey } from './content.js'
import { type IssuedToken, issueEvent, type OrderedKey, type TokenIssuer, type TokenOrder } from './issuer.js'
import { usedUp } from './used-up.js'
import type { SealedToken, TokenVault } from './vault.js'

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
    return { token, licenseAcquisitionUrl: licenceUrl('playready', this.#parts.publicUrl, order) }
  }

  #seal({ account, environment, drm, keys, restrictions }: TokenOrder, issuedAt: number): SealedToken {
    if (!areComplete(keys)) throw new Error('a key without its content key')
    const { expirationTime, deviceId, ipAddress, cookie } = restrictions
    const expiresAt = expirationTime ?? issuedAt + LONGEST_LIFE
    const content = { drm, environment, issuedAt, expiresAt, deviceId, ipAddress, cookie, keys }
    return this.#parts.vault.seal(account.id, encodeContent(content, this.#writer))
  }

  async #record(order: TokenOrder, issuedAt: number, id: string): Promise<void> {
    const recording = this.#parts.ledger.recordIssue(issueEvent(order, issuedAt, id))
    const outcome = await orUnavailable(recording, { mayHaveIssued: true })
    if (outcome !== 'recorded') throw usedUp(outcome, issuedAt)
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
