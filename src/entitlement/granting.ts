import type { Content, ContentLicence } from '../../schemas/content-entry.js'
import { type EntitlementRequest, REQUEST_TYPES, type RequestType } from '../../schemas/entitlement.js'
import { bindingRefusal } from '../../schemas/token-request.js'
import { requireDrm, requireEnabled } from '../accounts/authentication.js'
import type { Families } from '../drm/families.js'
import type { IssuedToken, TokenFamily } from '../drm/family.js'
import { EntitlementRefusal } from '../errors/entitlement-refusal.js'
import { orUnavailable, TokenError } from '../errors/public-error.js'
import type { Now } from '../ground/clock.js'
import type { TokenDrm } from '../ground/drms.js'
import type { Environment } from '../ground/environment.js'
import type { Randomness } from '../ground/randomness.js'
import type { RequestTrace } from '../ground/request-trace.js'
import type { ReportRateLimit } from '../limits/rate-limits.js'
import type { Account } from '../store/account-records.js'
import { ISSUING, TokenProgress, type TokenStepParts, TokenSteps, tokenOf } from '../tokens/token-steps.js'
import type { Contents } from './content.js'
import type { Devices, RegisteredDevices } from './devices.js'
import { registrationContent } from './registration.js'
import { ContentSource, lifeOf, policyAt } from './terms.js'

/** What the steps have found out about a request so far, for the log. */
export interface Decision {
  readonly account: Account
  readonly environment: Environment
  readonly requestId: string
  /** The host and port at which clients reach the licence endpoints, taken from the request. */
  readonly host: string
  readonly isSecure: boolean
  /** Called with the state of the account's rate limit. */
  readonly reportRateLimit: ReportRateLimit
  readonly cookie: string | undefined
  /** The DRM of the token. */
  family: TokenFamily
  /** The content whose keys are issued. */
  content: Pick<Content, 'keys'> | undefined
  deviceId: string | undefined
  /** Where requests are traced. */
  readonly trace?: RequestTrace | undefined
}

/** The three requests, step by step (spec: sees.md). Each step throws the documented refusal that ends it. */
export class Granting {
  readonly #parts: GrantingParts

  constructor(parts: GrantingParts) {
    this.#parts = parts
  }

  async grant(request: EntitlementRequest, decision: Decision): Promise<IssuedToken> {
    const { requestType, customerCookie } = request
    requireCookie(request)
    requireEnabled(decision.account)
    requireSomeDrm(decision.account, this.#parts.families)
    const content = await this.#content(request)
    decision.content = content
    const { drm, policy } = licenceFor(content, request.drm)
    decision.family = this.#parts.families.named(drm)
    const { keys, duration, until } = content
    const source = new ContentSource(decision.family, { keys, duration, until, policy }, decision, this.#parts.now)
    const progress = new TokenProgress(source, decision, decision.account)
    await ALLOWED.take(progress, this.#parts)
    requireListed(content, customerCookie)
    // Checked before the device look-up, and again when the token is made.
    lifeOf(content, this.#parts.now(decision.account.id))
    if (requestType === REQUEST_TYPES.deviceBound) {
      requireBinding(decision)
      source.findDevice = () => this.#device(content, decision)
    }
    if (requestType === REQUEST_TYPES.deviceRegistration) {
      // The dummy content has its own policy, so the rental of the wanted content is checked here.
      policyAt(policy, this.#parts.now(decision.account.id))
      source.content = registrationContent(source.family, policy.useHttps, this.#parts.random)
      decision.content = source.content
    }
    await ISSUING.take(progress, this.#parts)
    return tokenOf(progress)
  }

  /** The customer's own endpoint takes precedence over every catalogue. */
  async #content({ contentID, requestType, customerCookie, drm }: EntitlementRequest): Promise<Content> {
    const { authorizer, contents } = this.#parts
    const wanted = contentID.toLowerCase()
    const described = authorizer && (await authorizer.allow({ contentID: wanted, requestType, customerCookie, drm }))
    const content = described ?? (await orUnavailable(contents.find(wanted)))
    if (content === undefined) throw new EntitlementRefusal('unknownContent')
    return content
  }

  async #device(content: Content, decision: Decision): Promise<string> {
    const { account, environment, cookie = '', requestId } = decision
    const owner = { customerId: account.id, environment }
    const question = { cookie, first: content.devicesPerCookie, requestId }
    decision.deviceId = requireDevice(content, await this.#parts.devices.of(owner, question))
    return decision.deviceId
  }
}

const ALLOWED = new TokenSteps('drm')

/** What the authorizer is asked. */
export interface ViewerQuestion {
  /** A GUID in lower case. */
  readonly contentID: string
  readonly requestType: RequestType
  readonly customerCookie?: string | undefined
  /** Where the viewer asks for one. */
  readonly drm?: TokenDrm | undefined
}

/** Decides in addition to the catalogue, such as the customer's own endpoint. */
export interface ViewerAuthorizer {
  /** Resolves with the content that it describes, if any; throws an EntitlementRefusal for a denied viewer. */
  allow(question: ViewerQuestion): Promise<Content | undefined>
  close(): Promise<void>
}

export interface GrantingParts extends TokenStepParts {
  readonly families: Families
  readonly contents: Contents
  readonly authorizer: ViewerAuthorizer | undefined
  readonly devices: Devices
  readonly now: Now
  readonly random: Randomness
}

function requireCookie({ requestType, customerCookie }: EntitlementRequest): void {
  if (requestType !== REQUEST_TYPES.timeBased && customerCookie === undefined)
    throw new EntitlementRefusal('cookieMissing')
}

/** Checked before the content look-up: an account without any DRM gets no key. */
function requireSomeDrm(account: Account, { tokens }: Families): void {
  const [first] = tokens
  const isOff = ({ drm }: TokenFamily) => account.drm[drm] === false || account.drm[drm] === null
  if (first !== undefined && tokens.every(isOff)) requireDrm(account, first)
}

function licenceFor({ licences }: Content, drm: TokenDrm | undefined): ContentLicence {
  const [first] = licences
  const licence = drm === undefined ? first : licences.find(one => one.drm === drm)
  if (licence === undefined) throw new EntitlementRefusal('noLicence', { details: drm })
  return licence
}

/** Checked before the device look-up, which costs a request in a gateway. */
function requireBinding({ account, family }: Decision): void {
  const refusal = bindingRefusal(family.deviceBinding, account.drm)
  if (refusal !== undefined) throw new TokenError({ code: refusal })
}

/** Checks the viewer against the catalogue's list. */
export function requireListed({ viewers }: Content, cookie: string | undefined): void {
  if (viewers === 'everyone') return
  if (cookie === undefined || !viewers.has(cookie)) throw new EntitlementRefusal('notListed')
}

/** The first devices may have the content, so that a new device does not lock out an old one. */
export function requireDevice({ devicesPerCookie }: Content, { newest, first }: RegisteredDevices): string {
  if (newest === undefined) throw new EntitlementRefusal('noDevice')
  if (devicesPerCookie !== undefined && !first.includes(newest)) throw new EntitlementRefusal('tooManyDevices')
  return newest
}
