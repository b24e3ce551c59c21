import type { Content } from '../../schemas/catalogue.js'
import { type EntitlementRequest, REQUEST_TYPES } from '../../schemas/entitlement.js'
import { requireDrm, requireEnabled } from '../accounts/authentication.js'
import type { Families } from '../drm/families.js'
import { EntitlementRefusal } from '../errors/entitlement-refusal.js'
import { orUnavailable } from '../errors/public-error.js'
import type { Now } from '../ground/clock.js'
import type { Environment } from '../ground/environment.js'
import type { Randomness } from '../ground/randomness.js'
import type { KeyStorage } from '../keys/key-storage.js'
import { resolveContentKeys } from '../keys/resolve.js'
import type { Account } from '../store/account-records.js'
import type { IssuedToken, TokenIssuer } from '../tokens/issuer.js'
import type { Contents } from './content.js'
import type { Devices } from './devices.js'
import { registrationContent } from './registration.js'
import { requireDevice, requireListed } from './rules.js'
import { contentParameters, expirationFor, lifeOf, policyAt } from './terms.js'
import type { Judge } from './viewer-question.js'

/** What is known of a request, which grows from step to step: the log tells it. */
export interface Decision {
  readonly account: Account
  readonly requestId: string
  /** Where clients reach the licence endpoints, as far as the request tells: a host and its port. */
  readonly host: string
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
    const family = this.#parts.families.named(content.drm)
    requireDrm(decision.account, family)
    requireListed(content, customerCookie)
    // Before any device is looked for, and again when its token is made.
    lifeOf(content, this.#parts.now())
    if (requestType === REQUEST_TYPES.deviceRegistration) {
      // The dummy has a policy of its own, and nobody need register for a rental that has ended.
      policyAt(content, this.#parts.now())
      decision.content = registrationContent(content, family, this.#parts.random)
    }
    if (requestType === REQUEST_TYPES.deviceBound) decision.deviceId = await this.#device(content, decision)
    return this.#issue(decision.content, decision)
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

  async #device(content: Content, { account, cookie = '', requestId }: Decision): Promise<string> {
    const owner = { customerId: account.id, environment: this.#parts.environment }
    const question = { cookie, first: content.devicesPerCookie, requestId }
    return requireDevice(content, await this.#parts.devices.of(owner, question))
  }

  async #issue(content: Content, { account, cookie, deviceId, host, requestId }: Decision): Promise<IssuedToken> {
    const { issuer, keyStorage, environment, now } = this.#parts
    const resolved = await resolveContentKeys(
      content.keys,
      { customerId: account.id, environment },
      { storage: keyStorage, mayBeElsewhere: issuer.hasKeyStorage },
    )
    const present = now()
    const life = lifeOf(content, present)
    const policy = policyAt(content, present)
    return issuer.issue({
      account,
      environment,
      family: this.#parts.families.named(content.drm),
      keys: resolved.map(({ kid, contentKey, algId }) => ({ kid, contentKey, algId, policy })),
      restrictions: { expirationTime: present + life * 1000, deviceId, ipAddress: undefined, cookie },
      useHttps: content.policy.useHttps,
      host,
      requestId,
      // Only an issuer that asks another service looks at it.
      get parameters() {
        const expirationTime = expirationFor(content, life, present)
        return contentParameters(content, { expirationTime, cookie, deviceId })
      },
    })
  }
}

export interface GrantingParts {
  readonly families: Families
  readonly environment: Environment
  readonly contents: Contents
  readonly judge: Judge | undefined
  readonly devices: Devices
  readonly keyStorage: KeyStorage
  readonly issuer: TokenIssuer
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
