import type { LicenceDrm } from '../ground/drms.js'
import type { Redemption } from '../tokens/redeem.js'
import type { Asked } from '../tokens/redemption-checks.js'

/** What a DRM's licence endpoint has of its own; everything else is the same for all. */
export interface LicenceFamily {
  readonly drm: LicenceDrm
  /** The form in which its players understand a refusal. */
  readonly refusals: 'json' | 'soap'
  /** Reads any bytes: what is no challenge asks for nothing that could be granted. */
  read(body: Buffer): Challenge
}

/** A player's key request. */
export interface Challenge {
  readonly asked: Asked
  /** Those that it carries where its DRM has a place for a token. */
  readonly tokens?: readonly string[]
  /** The same for all challenges of one device. */
  readonly deviceId?: string | undefined
  /** The answer when the token is good for it. */
  licence(redemption: Redemption): LicenceAnswer
}

export interface LicenceAnswer {
  readonly contentType: string
  readonly text: string
}
