import type { Logger } from 'pino'
import { type EntitlementRequest, REQUEST_TYPES, VERSION } from '../../schemas/entitlement.js'
import type { Restrictions } from '../../schemas/restrictions.js'
import type { Now } from '../../schemas/rules.js'
import type { Account, Accounts } from '../accounts/accounts.js'
import { requireEnabled } from '../accounts/authentication.js'
import type { Environment } from '../environment.js'
import { orUnavailable, PublicError, TokenError } from '../errors.js'
import type { KeyStorage } from '../keys/key-storage.js'
import { resolveContentKeys } from '../keys/resolve.js'
import type { Ledger } from '../ledger/ledger.js'
import type { AccountLimit, Tell } from '../limits/rate-limits.js'
import type { Randomness } from '../randomness.js'
import type { IssuedToken, TokenIssuer } from '../tokens/issuer.js'
import type { Content, Contents } from './content.js'
import type { Devices } from './devices.js'
import { EntitlementRefusal } from './refusals.js'
import { registrationContent } from './registration.js'
import { requireAvailable, requireFewDevices, requireListed } from './rules.js'
import { contentParameters, policyAt } from './terms.js'
import type { Judge } from './viewer-question.js'

export interface EntitlementContext {
  readonly requestId: string
  /** Where clients reach the licence endpoints, as far as the request tells: a host and its port. */
  readonly host: string
  /** Where the account stands against its limit. */
  readonly tell: Tell
}

/** Whether a viewer may have a key, step by step (spec: sees.md). Each step throws the documented refusal that ends it. */
export class Entitlements {
  readonly #parts: EntitlementParts

  constructor(parts: EntitlementParts) {
    this.#parts = parts
  }

  /** The token URL of a viewer who may have the key. */
  async decide(request: EntitlementRequest, context: EntitlementContext): Promise<string> {
    const contentID = request.contentID.toLowerCase()
    const account = await this.#account()
    this.#parts.limit.admit(account, this.#parts.environment, context.tell)
    const decision: Decision = { account, contentID, cookie: request.customerCookie, kids: [], deviceId: undefined }
    try {
      requireEnabled(account)
      if (!account.drm.playready) throw new TokenError({ code: -5002 })
      const token = await this.#grant(request, decision, context)
      this.#tell(request, context, 0)
      return tokenUrl(token)
    } catch (error) {
      if (isRefusal(error)) {
        this.#tell(request, context, error.code)
        if (!error.isRecorded) await this.#recordRefusal(decision, context, error.code)
      }
      throw error
    }
  }

  async #grant(request: EntitlementRequest, decision: Decision, context: EntitlementContext): Promise<IssuedToken> {
    requireVersion(request)
    requireCookie(request)
    const content = await this.#content(request, decision.contentID)
    decision.kids = content.keys.map(({ kid }) => kid)
    requireListed(content, request.customerCookie)
    requireAvailable(content, this.#parts.now())
    switch (request.requestType) {
      case REQUEST_TYPES.timeBased:
        return this.#issue(content, decision, context)
      case REQUEST_TYPES.deviceRegistration: {
        const dummy = registrationContent(this.#parts.random)
        decision.kids = dummy.keys.map(({ kid }) => kid)
        return this.#issue(dummy, decision, context)
      }
      case REQUEST_TYPES.deviceBound:
        decision.deviceId = await this.#device(content, decision)
        return this.#issue(content, decision, context)
    }
  }

  /** The customer's own endpoint knows better than any catalogue. */
  async #content({ requestType, customerCookie }: EntitlementRequest, contentID: string): Promise<Content> {
    const { judge, contents } = this.#parts
    const told = await judge?.allow({ contentID, requestType, customerCookie })
    const content = told ?? (await orUnavailable(Promise.resolve(contents.find(contentID))))
    if (content === undefined) throw new EntitlementRefusal('unknownContent')
    return content
  }

  async #device(content: Content, { account, cookie = '' }: Decision): Promise<string> {
    const owner = { customerId: account.id, environment: this.#parts.environment }
    const devices = await this.#parts.devices.of(owner, cookie)
    if (devices.newest === undefined) throw new EntitlementRefusal('noDevice')
    requireFewDevices(content, devices)
    return devices.newest
  }

  async #issue(content: Content, decision: Decision, { host, requestId }: EntitlementContext): Promise<IssuedToken> {
    const { issuer, keyStorage, environment, now, usesHttps } = this.#parts
    const { account, cookie, deviceId } = decision
    const resolved = await resolveContentKeys(
      content.keys,
      { customerId: account.id, environment },
      { storage: keyStorage, mayBeElsewhere: issuer.hasKeyStorage },
    )
    const present = now()
    const policy = policyAt(content, present)
    const restrictions: Restrictions = {
      expirationTime: present + content.duration * 1000,
      deviceId,
      ipAddress: undefined,
      cookie,
    }
    return issuer.issue({
      account,
      environment,
      drm: content.drm,
      keys: resolved.map(({ kid, contentKey, algId }) => ({ kid, contentKey, algId, policy })),
      restrictions,
      useHttps: content.policy.useHttps ?? usesHttps,
      host,
      requestId,
      // Only an issuer that asks another service looks at it.
      get parameters() {
        return contentParameters(content, { cookie, deviceId })
      },
    })
  }

  /** A customer who is no longer in the database is as good as disabled. */
  async #account(): Promise<Account> {
    const account = await orUnavailable(this.#parts.accounts.find(this.#parts.customerId))
    if (account === undefined) throw new TokenError({ code: -2031 })
    return account
  }

  /** What was granted is in the log already, with its token. */
  async #recordRefusal(decision: Decision, { requestId }: EntitlementContext, errorCode: number): Promise<void> {
    const recording = this.#parts.ledger.append({
      customerId: decision.account.id,
      environment: this.#parts.environment,
      time: this.#parts.now(),
      event: 'entitlement_refused',
      drm: 'playready',
      kids: decision.kids,
      cookie: decision.cookie,
      deviceId: decision.deviceId,
      errorCode,
      requestId,
    })
    await orUnavailable(recording)
  }

  #tell({ messageID, requestType, contentID }: EntitlementRequest, { requestId }: EntitlementContext, error: number) {
    this.#parts.logger.info({ requestId, messageID, requestType, contentID, error }, 'entitlement decided')
  }
}

export interface EntitlementParts {
  readonly customerId: number
  readonly environment: Environment
  /** The scheme of licence URLs, where the catalogue does not say one. */
  readonly usesHttps: boolean
  readonly accounts: Accounts
  readonly limit: AccountLimit
  readonly contents: Contents
  readonly judge: Judge | undefined
  readonly devices: Devices
  readonly keyStorage: KeyStorage
  readonly issuer: TokenIssuer
  readonly ledger: Ledger
  readonly logger: Logger
  readonly now: Now
  readonly random: Randomness
}

/** What is known of a request so far: the log tells it. */
interface Decision {
  readonly account: Account
  readonly contentID: string
  readonly cookie: string | undefined
  kids: readonly string[]
  deviceId: string | undefined
}

function requireVersion({ version }: EntitlementRequest): void {
  if (version !== VERSION) throw new EntitlementRefusal('version', { details: `only ${VERSION} is known here` })
}

function requireCookie({ requestType, customerCookie }: EntitlementRequest): void {
  if (requestType !== REQUEST_TYPES.timeBased && customerCookie === undefined)
    throw new EntitlementRefusal('cookieMissing')
}

function tokenUrl({ licenseAcquisitionUrl, token }: IssuedToken): string {
  const url = new URL(licenseAcquisitionUrl)
  url.searchParams.set('ExpressPlayToken', token)
  return url.href
}

/** A failure of ours is none. */
function isRefusal(error: unknown): error is PublicError {
  return error instanceof PublicError && error.status < 500
}
