import type { Drm } from '../ground/drms.js'
import { clearKey } from './clear-key.js'
import { fairplay } from './fairplay-family.js'
import type { LicenceFamily, TokenFamily } from './family.js'
import { broadband, ms3 } from './marlin-families.js'
import { playready } from './playready-family.js'
import { widevine } from './widevine-family.js'

/** The kinds of tokens that are issued; of a DRM with several, the first is the usual one. */
export const TOKEN_FAMILIES: readonly TokenFamily[] = [playready, widevine, fairplay, ms3, broadband]

/** For texts. */
export const FAMILY_NAMES = TOKEN_FAMILIES.map(({ name }) => name).join(', ')

/** The kinds of tokens that this service knows, by the DRM they are for and by their numbers in a token. */
export class Families {
  readonly licences: readonly LicenceFamily[]
  readonly #byDrm = new Map<Drm, TokenFamily>()
  readonly #byNumber: ReadonlyMap<number, TokenFamily>

  constructor(readonly tokens: readonly TokenFamily[] = TOKEN_FAMILIES) {
    // Clear Key has no tokens of its own.
    this.licences = [clearKey, ...tokens.map(({ licences }) => licences)]
    for (const family of tokens) if (!this.#byDrm.has(family.drm)) this.#byDrm.set(family.drm, family)
    this.#byNumber = new Map(tokens.map(family => [family.number, family]))
  }

  /** By its own name, or by that of its DRM. */
  static called(name: string): TokenFamily | undefined {
    return TOKEN_FAMILIES.find(family => family.name === name) ?? TOKEN_FAMILIES.find(({ drm }) => drm === name)
  }

  named(drm: Drm): TokenFamily {
    const family = this.#byDrm.get(drm)
    if (family === undefined) throw new Error(`no tokens are issued for ${drm}`)
    return family
  }

  /** `undefined` for a number that a newer version has assigned. */
  numbered(number: number): TokenFamily | undefined {
    return this.#byNumber.get(number)
  }
}
