import type { Content } from '../../schemas/catalogue.js'
import { type EntitlementRequest, REQUEST_TYPES } from '../../schemas/entitlement.js'
import { requireDrm, requireEnabled } from '../accounts/authentication.js'
import type { Families } from '../drm/families.js'
import type { IssuedToken } from '../drm/family.js'
import { EntitlementRefusal } from '../errors/entitlement-refusal.js'
import { orUnavailable } from '../errors/public-error.js'
import type { Now } from '../ground/clock.js'
import type { Environment } from '../ground/environment.js'
import type { Randomness } from '../ground/randomness.js'
import type { ReportRateLimit } from '../limits/rate-limits.js'
import type { Account } from '../store/account-records.js'
import { TokenProgress, type TokenStepParts, TokenSteps, tokenOf } from '../tokens/token-steps.js'
import type { Contents } from './content.js'
import type { Devices, RegisteredDevices } from './devices.js'
import { registrationContent } from './registration.js'
import { ContentSource, lifeOf, policyAt } from './terms.js'
import type { Judge } from './viewer-question.js'

/** What is known of a request, which grows from step to step: the log tells it. */
export interface Decision {
  readonly account: Account
  readonly requestId: string
  /** Where clients reach the licence endpoints, as far as the request tells: a host and its port. */
  readonly host: string
  /** Where the account stands against its limit. */
  readonly reportRateLimit: ReportRateLimit
  readonly cookie: string | undefined
  /** Whose keys are given out. */
  content: Content | undefined
  deviceId: string | undefined
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
    const source = new ContentSource(this.#parts.families.named(content.drm), content, decision, this.#parts.now)
    const context = { ...decision, environment: this.#parts.environment }
    const progress = new TokenProgress(source, context, decision.account)
    await ALLOWED.take(progress, this.#parts)
    requireListed(content, customerCookie)
    // Before any device is looked for, and again when its token is made.
    lifeOf(content, this.#parts.now())
    if (requestType === REQUEST_TYPES.deviceBound) source.findDevice = () => this.#device(content, decision)
    if (requestType === REQUEST_TYPES.deviceRegistration) {
      // The dummy has a policy of its own, and nobody need register for a rental that has ended.
      policyAt(content, this.#parts.now())
      decision.content = registrationContent(content, source.family, this.#parts.random)
      source.content = decision.content
    }
    await ISSUING.take(progress, this.#parts)
    return tokenOf(progress)
  }

  /** The customer's own endpoint knows better than any catalogue. */
  async #content({ contentID, requestType, customerCookie }: EntitlementRequest): Promise<Content> {
    const { judge, contents } = this.#parts
    const wanted = contentID.toLowerCase()
    const told = judge && (await judge.allow({ contentID: wanted, requestType, customerCookie }))
    const known = told ?? contents.find(wanted)
    const content = known instanceof Promise ? await orUnavailable(known) : known
    if (content === undefined) throw new EntitlementRefusal('unknownContent')
    return content
  }

  async #device(content: Content, decision: Decision): Promise<string> {
    const { account, cookie = '', requestId } = decision
    const owner = { customerId: account.id, environment: this.#parts.environment }
    const question = { cookie, first: content.devicesPerCookie, requestId }
    decision.deviceId = requireDevice(content, await this.#parts.devices.of(owner, question))
    return decision.deviceId
  }
}

/** The steps that every token takes, from where its DRM is known. */
const ALLOWED = new TokenSteps('drm')
const ISSUING = new TokenSteps('keys', 'terms', 'device', 'issue')

export interface GrantingParts extends TokenStepParts {
  readonly families: Families
  readonly environment: Environment
  readonly contents: Contents
  readonly judge: Judge | undefined
  readonly devices: Devices
  readonly now: Now
  readonly random: Randomness
}

function requireCookie({ requestType, customerCookie }: EntitlementRequest): void {
  if (requestType !== REQUEST_TYPES.timeBased && customerCookie === undefined)
    throw new EntitlementRefusal('cookieMissing')
}

/** Before any content is looked for: an account without a DRM gets no key, whatever it is for. */
function requireSomeDrm(account: Account, { tokens }: Families): void {
  const [first] = tokens
  if (first !== undefined && tokens.every(({ drm }) => account.drm[drm] === false)) requireDrm(account, first)
}

/** Who may have a content, as its catalogue says. */
export function requireListed({ viewers }: Content, cookie: string | undefined): void {
  if (viewers === 'everyone') return
  if (cookie === undefined || !viewers.has(cookie)) throw new EntitlementRefusal('notListed')
}

/** The devices that came first may have it, so that a new one does not shut out an old one. */
export function requireDevice({ devicesPerCookie }: Content, { newest, first }: RegisteredDevices): string {
  if (newest === undefined) throw new EntitlementRefusal('noDevice')
  if (devicesPerCookie !== undefined && !first.includes(newest)) throw new EntitlementRefusal('tooManyDevices')
  return newest
}
