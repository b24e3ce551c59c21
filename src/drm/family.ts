import type { TokenPolicy } from '../../schemas/policy.js'
import type { FamilySchema } from '../../schemas/token-request.js'
import type { ErrorCode } from '../errors/error-catalogue.js'
import type { Drm, LicenceDrm } from '../ground/drms.js'
import type { ByteReader, ByteWriter } from '../tokens/bytes.js'
import type { Asked } from '../tokens/redemption-checks.js'
import type { Redemption } from '../tokens/token-redemption.js'

/** How a sealed token says which DRM it is for, and what a licence is bound to. */
export interface SealedFamily {
  readonly drm: Drm
  /** Its number in a token: never changed, never used again. */
  readonly number: number
  /** Whether its keys may come without a KID. */
  readonly kid: 'required' | 'optional'
  /** Writes a policy into a token. What is written must stay readable: a new field gets a new presence bit. */
  writePolicy(out: ByteWriter, policy: TokenPolicy): void
  readPolicy(from: ByteReader): TokenPolicy
}

/** What is particular to a DRM in token requests. Everything else is the same for all. */
export interface TokenFamily extends SealedFamily, FamilySchema {
  /** The path of its token endpoint. */
  readonly tokenPath: string
  /** The refusal where the account's option for it is off. */
  readonly disabled: ErrorCode
  /** Narrows nothing: for the dummy content with which a device registers. */
  readonly openPolicy: TokenPolicy
  /** The answer to a client that does not ask for JSON. */
  readonly answer: AnswerForm
  /** How browsers name it. */
  readonly keySystem: string
  /** How the real service names its licence host, and the scheme of its URLs (spec: real-names.md). */
  readonly licenceHost: { readonly label: string; readonly scheme: 'http:' | 'https:' }
  readonly licences: LicenceFamily
}

export interface IssuedToken {
  readonly token: string
  readonly licenseAcquisitionUrl: string
}

/** How a DRM's token endpoint answers. */
export interface AnswerForm {
  readonly contentType: string
  text(issued: IssuedToken): string
}

/** What is particular to a DRM's licence endpoint; everything else is the same for all. */
export interface LicenceFamily {
  readonly drm: LicenceDrm
  /** Where its players post their key requests, in the documented form. */
  readonly path: string
  /** The form in which its players understand a refusal. */
  readonly refusals: 'json' | 'soap'
  /** Reads any bytes, and never throws: an invalid challenge has a fault. */
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
