import { LONGEST_LIFE } from '../../schemas/restrictions.js'
import type { Now } from '../../schemas/rules.js'
import { playreadyUrl } from '../licence-urls.js'
import { ByteWriter } from './bytes.js'
import { encodeContent } from './content.js'
import type { IssuedToken, TokenIssuer, TokenOrder } from './issuer.js'
import type { TokenVault } from './vault.js'

/** Seals the whole order into the token. */
export class EmulatedIssuer implements TokenIssuer {
  readonly #vault: TokenVault
  readonly #now: Now
  readonly #publicUrl: URL | undefined
  readonly #writer = new ByteWriter()

  /** `publicUrl` is where clients reach us; without one it is the host that the request was sent to. */
  constructor(vault: TokenVault, now: Now, publicUrl: URL | undefined) {
    this.#vault = vault
    this.#now = now
    this.#publicUrl = publicUrl
  }

  async issue(order: TokenOrder): Promise<IssuedToken> {
    const issuedAt = this.#now()
    const { expirationTime, deviceId, ipAddress, cookie } = order.restrictions
    const content = encodeContent(
      {
        drm: order.drm,
        environment: order.environment,
        issuedAt,
        expiresAt: expirationTime ?? issuedAt + LONGEST_LIFE,
        deviceId,
        ipAddress,
        cookie,
        keys: order.keys,
      },
      this.#writer,
    )
    const { id, token } = this.#vault.seal(order.account.id, content)
    return { id, token, licenseAcquisitionUrl: playreadyUrl(this.#publicUrl, order) }
  }
}
