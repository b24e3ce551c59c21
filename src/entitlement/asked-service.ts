import { readFileSync } from 'node:fs'
import { customerCookie, REQUEST_TYPES } from '../../schemas/entitlement.js'
import { tokensOfUrl, type ViewerClaim } from '../../schemas/licences.js'
import type { AskedEntitlement } from '../config/settings-asked-entitlement.js'
import { ConfigError } from '../errors/config-error.js'
import { EntitlementDenied } from '../errors/entitlement-denied.js'
import { StatusError } from '../errors/public-error.js'
import { type LicenceDrm, NO_KID, TOKEN_DRMS, type TokenDrm } from '../ground/drms.js'
import type { Logger } from '../ground/logger.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'
import { uuidOf } from '../pssh/kid-forms.js'
import type { ReadToken, TokenKey } from '../tokens/token-content.js'
import { EntitlementClient } from './client/client.js'
import { REGISTRATION_KID } from './registration.js'

export interface AskedServiceParts {
  readonly settings: AskedEntitlement
  readonly random: Randomness
  readonly logger: Logger
}

/** The entitlement service that our licence endpoints ask before they grant (spec: sees.md). */
export class AskedService {
  readonly #client: EntitlementClient
  readonly #when: AskedEntitlement['when']
  readonly #random: Randomness
  readonly #logger: Logger

  /** Throws a ConfigError where certificates or keys can't be used. */
  constructor({ settings, random, logger }: AskedServiceParts) {
    this.#client = clientOf(settings)
    this.#random = random
    this.#when = settings.when
    this.#logger = logger
  }

  /** The tokens for a viewer of this DRM who presents no token; empty when the claim names no content. */
  async tokensFor(claim: ViewerClaim | StatusError, drm: LicenceDrm, requestId: string): Promise<readonly string[]> {
    const { contentID, requestType, customerCookie } = requireReadable(claim)
    if (contentID === undefined) return []
    const url = await this.#ask({ contentID, requestType, customerCookie, drm: tokenDrm(drm) }, requestId)
    return tokensOfUrl(new URL(url))
  }

  /** Asks about a presented token, too, for these of its keys. */
  async requireAllowed({ token, keys, claim, requestId }: Presented): Promise<void> {
    if (this.#when !== 'always' || isRegistration(token)) return
    const { contentID, requestType } = requireReadable(claim)
    const contents = contentID === undefined ? contentsOf(keys) : [contentID]
    const viewer = { requestType, customerCookie: cookieOf(token), drm: tokenDrm(token.drm) }
    await Promise.all(contents.map(contentID => this.#ask({ ...viewer, contentID }, requestId)))
  }

  async #ask(viewer: Viewer, requestId: string): Promise<string> {
    requireCookie(viewer)
    const messageID = newGuid(this.#random)
    const entitlement = await this.#client.ask({ ...viewer, messageID })
    if (entitlement.isAllowed) return entitlement.epTokenURL
    const { error, failure } = entitlement
    const what = { requestId, messageID, contentID: viewer.contentID, error, ...failure }
    if (failure === undefined) this.#logger.info(what, 'the entitlement service denied a licence')
    else this.#logger.warn(what, 'the entitlement service gave no answer that allows a licence')
    throw new EntitlementDenied(error, entitlement.errorText, failure === undefined)
  }

  async close(): Promise<void> {
    await this.#client.close()
  }
}

/** A token that has passed the other checks so far. */
export interface Presented {
  readonly token: ReadToken
  readonly keys: readonly TokenKey[]
  readonly claim: ViewerClaim | StatusError
  readonly requestId: string
}

type Viewer = ViewerClaim & { readonly contentID: string; readonly drm: TokenDrm | undefined }

/** `undefined` for Clear Key, which redeems the tokens of every DRM. */
function tokenDrm(drm: LicenceDrm): TokenDrm | undefined {
  return TOKEN_DRMS.find(one => one === drm)
}

/** A key that names no content: the request has to. */
function contentsOf(keys: readonly TokenKey[]): readonly string[] {
  if (keys.some(({ kid }) => kid === NO_KID))
    throw new StatusError(400, 'contentID is missing: a key of the token has no KID', 'contentID')
  return [...new Set(keys.map(({ kid }) => uuidOf(kid)))]
}

function requireReadable(claim: ViewerClaim | StatusError): ViewerClaim {
  if (claim instanceof StatusError) throw claim
  return claim
}

function requireCookie({ requestType, customerCookie }: Viewer): void {
  if (requestType !== REQUEST_TYPES.timeBased && customerCookie === undefined)
    throw new StatusError(400, `requestType ${requestType} needs a cookie`, 'customerCookie')
}

/** The dummy content of a device's registration: every viewer may have it. */
function isRegistration({ keys }: ReadToken): boolean {
  return keys.every(({ kid }) => kid === REGISTRATION_KID)
}

/** An empty cookie counts as missing. */
function cookieOf({ cookie }: ReadToken): string | undefined {
  return customerCookie.safeParse(cookie).data
}

function clientOf(settings: AskedEntitlement): EntitlementClient {
  const { url, certFile, keyFile, caFile, timeout } = settings
  const [cert, key, ca] = [certFile, keyFile, caFile].map(path => path && readFileSync(path, 'utf8'))
  try {
    return new EntitlementClient({ url, cert, key, ca, timeout })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new ConfigError([`ENTITLEMENT_URL_CERT, ENTITLEMENT_URL_KEY, ENTITLEMENT_URL_CA: ${error.message}`])
  }
}

/** A random GUID, version 4. */
function newGuid(random: Randomness): string {
  const bytes = randomBytes(random, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return uuidOf(bytes.toString('hex'))
}
