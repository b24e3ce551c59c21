import { messageWithCode } from '../../schemas/answers.js'
import type { InspectionOrder, TokenInspection } from '../../schemas/inspection.js'
import type { Families } from '../drm/families.js'
import type { LicenceFamily } from '../drm/family.js'
import { policyInWords } from '../drm/policy-in-words.js'
import { presentPolicy } from '../drm/stand-in-licence.js'
import { PublicError, StatusError } from '../errors/public-error.js'
import { type Now, rfc3339 } from '../ground/clock.js'
import { customerOfToken } from '../tokens/outer-layout.js'
import { presentKey, presentToken, tokenIn } from '../tokens/presented-token.js'
import { openToken, type ReadToken } from '../tokens/token-content.js'
import type { TokenRedemption } from '../tokens/token-redemption.js'
import type { TokenVault } from '../tokens/vault.js'

export interface InspectionParts {
  readonly vault: TokenVault
  readonly families: Families
  readonly redemption: TokenRedemption
  /** Whether an entitlement service is asked before a licence is granted. */
  readonly asksEntitlement: boolean
  readonly now: Now
}

/** Says what a token says, and what redeeming it would give. It changes, counts and logs nothing. */
export class Inspection {
  readonly #parts: InspectionParts

  constructor(parts: InspectionParts) {
    this.#parts = parts
  }

  /** `address` is where the token would come from, unless the order says it. */
  async inspect(order: InspectionOrder, address: string): Promise<TokenInspection> {
    const { families, now } = this.#parts
    const token = this.#open(tokenIn(order.token))
    const at = order.at ?? now(token.customerId)
    const circumstances = { address: order.address ?? address, deviceId: order.deviceId }
    const licences = families.licences.map(family => this.#foresee(family, token, { ...circumstances, at }))
    return {
      token: {
        ...presentToken(token, order.keys),
        charge: token.charge,
        keys: token.keys.map(key => ({
          ...presentKey(key, order.keys),
          policy: presentPolicy(key.policy),
          inWords: policyInWords(key.policy, families.named(token.drm).title),
        })),
      } as TokenInspection['token'], // its DRM is one of the families'
      at: rfc3339(at),
      ...circumstances,
      licences: await Promise.all(licences),
    }
  }

  #open(text: string): ReadToken {
    const { vault, families } = this.#parts
    try {
      const token = openToken(vault, families, text)
      if (token !== undefined) return token
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new StatusError(404, 'token: another version sealed it, and this one cannot read it', 'token')
    }
    if (customerOfToken(text) === undefined) throw new StatusError(400, 'token: this is not a token', 'token')
    const message = 'token: it was changed, or other keys sealed it: another server, or this one before a reset'
    throw new StatusError(404, message, 'token')
  }

  async #foresee(
    family: LicenceFamily,
    token: ReadToken,
    { address, deviceId, at }: { address: string; deviceId: string | undefined; at: number },
  ): Promise<TokenInspection['licences'][number]> {
    const place = { drm: family.drm, paths: [family.path, ...(family.aliases ?? [])] }
    try {
      await this.#parts.redemption.foresee({ family, asked: { kids: 'all' }, address, deviceId }, token, at)
      return { ...place, granted: true, ...(this.#parts.asksEntitlement && { entitlement: 'decides' as const }) }
    } catch (error) {
      if (!(error instanceof PublicError) || error.status >= 500) throw error
      return { ...place, granted: false, code: error.code, message: messageWithCode(error.code, error.message) }
    }
  }
}
