import type { Drm } from '../ground/drms.js'
import { clearKey } from './clear-key.js'
import type { LicenceFamily, SealedFamily, TokenFamily } from './family.js'
import { playready } from './playready-family.js'
import { fairplay, widevine } from './stand-in-licence.js'

/** The DRMs that tokens are issued for. */
const ISSUED: readonly TokenFamily[] = [playready]

/** Tokens for these are redeemed, but not issued yet. Their policy is written as PlayReady's is. */
const REDEEMED: readonly SealedFamily[] = [
  { ...playready, drm: widevine.drm, number: 1 },
  { ...playready, drm: fairplay.drm, number: 2 },
]

/** The DRMs whose key requests are answered, beside those of `ISSUED`. Clear Key has no tokens of its own. */
const LICENSED: readonly LicenceFamily[] = [clearKey, widevine, fairplay]

/** The DRMs that this service knows, by their names and by their numbers in a token. */
export class Families {
  readonly licences: readonly LicenceFamily[]
  readonly #byDrm: ReadonlyMap<Drm, TokenFamily>
  readonly #byNumber: ReadonlyMap<number, SealedFamily>

  constructor(readonly tokens: readonly TokenFamily[] = ISSUED) {
    this.licences = [...LICENSED, ...tokens.map(({ licences }) => licences)]
    this.#byDrm = new Map(tokens.map(family => [family.drm, family]))
    this.#byNumber = new Map([...REDEEMED, ...tokens].map(family => [family.number, family]))
  }

  named(drm: Drm): TokenFamily {
    const family = this.#byDrm.get(drm)
    if (family === undefined) throw new Error(`no tokens are issued for ${drm}`)
    return family
  }

  /** `undefined` for a number that a newer version has assigned. */
  numbered(number: number): SealedFamily | undefined {
    return this.#byNumber.get(number)
  }
}
