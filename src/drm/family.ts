import type { Texts } from '../../schemas/group.js'
import type { TokenPolicy } from '../../schemas/policy.js'
import type { FamilySchema } from '../../schemas/token-request.js'
import type { ErrorCode, Fault } from '../errors/error-catalogue.js'
import type { Drm } from '../ground/drms.js'
import type { ByteReader, ByteWriter } from '../tokens/bytes.js'
import type { Asked, RedeemingDrm, Redemption } from '../tokens/redemption-checks.js'

/** How a sealed token says which DRM it is for, and what a licence is bound to. */
export interface SealedFamily {
  /** The DRM, in the log, in metrics and among an account's options. Several kinds of tokens may be for one. */
  readonly drm: Drm
  /** The kind of tokens: no other family has this name. */
  readonly name: string
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
  /** How texts name it. */
  readonly title: string
  /** The path of its token endpoint. */
  readonly tokenPath: string
  /** The first byte of its tokens in the style of 2021. */
  readonly tokenVersion: number
  /** The refusal where the account's option for it is off, and where the account never had it, if that differs. */
  readonly disabled: Fault
  readonly unauthorised?: Fault
  /** The refusal of extensions with which a token would be too long. */
  readonly tooLong: { readonly code: ErrorCode; readonly parameter: string }
  /** How content of this DRM is encrypted where a key does not say it. */
  readonly algorithm: 'aesctr' | 'aescbc'
  /** Narrows nothing: for the dummy content with which a device registers. */
  readonly openPolicy: TokenPolicy
  /** The answer to a client that does not ask for JSON. */
  readonly answer: AnswerForm
  /** How browsers name it, if they know it. */
  readonly keySystem?: string
  /** How the real service names its licence host, and the scheme of its URLs (spec: real-names.md). */
  readonly licenceHost: { readonly label: string; readonly scheme: 'http:' | 'as reached' }
  readonly licences: LicenceFamily
}

export interface IssuedToken {
  readonly token: string
  readonly licenseAcquisitionUrl: string
}

/** How a DRM's token endpoint answers. */
export interface AnswerForm {
  readonly contentType: string
  /** `asked`: what the request says once for the whole token. */
  text(issued: IssuedToken, asked: Texts): string
  /** The token in such an answer, as another service writes it; `undefined` for anything else. */
  read(text: string): IssuedToken | undefined
}

/** What is particular to a DRM's licence endpoint; everything else is the same for all. */
export interface LicenceFamily extends RedeemingDrm {
  /** That of the family of its tokens. */
  readonly name: string
  /** Where its players post their key requests, in the documented form. */
  readonly path: string
  /** Further paths of it, in older pages. */
  readonly aliases?: readonly string[]
  /** The parameter of its query that has the token. */
  readonly tokenParameter?: string
  /** Whether its players may ask with GET. */
  readonly answersGet?: boolean
  /** The form in which its players understand a refusal. */
  readonly refusals: 'json' | 'soap'
  /** Reads any bytes, and never throws: an invalid challenge has a fault. */
  read(body: Buffer): Challenge
}

/** A player's key request. */
export interface Challenge {
  readonly asked: Asked
  /** The answer to one that needs no token. */
  readonly withoutToken?: LicenceAnswer
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
