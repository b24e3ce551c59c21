import { type EntitlementRequest, type RequestType, type UnknownVersion, VERSION } from '../../schemas/entitlement.js'
import type { Families } from '../drm/families.js'
import type { TokenFamily } from '../drm/family.js'
import { urlWithToken } from '../drm/licence-urls.js'
import { EntitlementRefusal } from '../errors/entitlement-refusal.js'
import { orUnavailable, PublicError, TokenError, UNAVAILABLE } from '../errors/public-error.js'
import type { Environment } from '../ground/environment.js'
import { InFlight } from '../ground/in-flight.js'
import type { RequestTrace } from '../ground/request-trace.js'
import type { Ledger } from '../ledger/ledger.js'
import type { ReportRateLimit } from '../limits/rate-limits.js'
import type { Metrics } from '../metrics.js'
import type { Account } from '../store/account-records.js'
import { type Decision, Granting, type GrantingParts } from './granting.js'

export interface EntitlementContext {
  readonly requestId: string
  /** The host and port at which clients reach the licence endpoints, taken from the request. */
  readonly host: string
  /** Called with the state of the account's rate limit. */
  readonly reportRateLimit: ReportRateLimit
  /** Where requests are traced. */
  readonly trace?: RequestTrace | undefined
}

/** Decides whether a viewer may have a key. The ledger has every decision before the client gets it. */
export class Entitlements {
  readonly #parts: EntitlementParts
  readonly #granting: Granting
  readonly #inFlight = new InFlight()

  constructor(parts: EntitlementParts) {
    this.#parts = parts
    this.#granting = new Granting(parts)
  }

  /** The token URL of an allowed viewer. A PublicError with status 200 is a decision; other errors are failures. */
  async decide(request: EntitlementRequest | UnknownVersion, context: EntitlementContext): Promise<string> {
    this.#inFlight.begin()
    try {
      return await this.#decide(request, context)
    } finally {
      this.#inFlight.end()
    }
  }

  /** Waits until the log has the requests in flight: their clients may be gone already. Call it after the last one. */
  close(): Promise<void> {
    return this.#inFlight.idle()
  }

  async #decide(request: EntitlementRequest | UnknownVersion, context: EntitlementContext): Promise<string> {
    const { requestId, host, reportRateLimit, trace } = context
    const { metrics, environment } = this.#parts
    const account = await this.#account()
    // The rate limit comes before the log: a flood must not fill the log.
    this.#parts.limit.admit(account, environment, reportRateLimit)
    const cookie = request.customerCookie
    const decision: Decision = {
      account,
      environment,
      requestId,
      host,
      // The certificate is that of the entitlement port, which says nothing of the licence endpoints.
      isSecure: false,
      reportRateLimit,
      cookie,
      trace,
      family: familyAskedFor(request, this.#parts.families),
      content: undefined,
      deviceId: undefined,
    }
    trace?.noteOwner({ customerId: account.id, environment }, decision.family.drm)
    try {
      await trace?.passed('account')
      if ('unknownVersion' in request)
        throw new EntitlementRefusal('version', { details: `only ${VERSION} is known here` })
      const token = await this.#granting.grant(request, decision)
      metrics.entitlementDecided(typeOf(request), 0)
      return urlWithToken(token, decision.family.licences.tokenParameter)
    } catch (error) {
      if (!isDecision(error)) throw error
      if (!error.isRecorded) await this.#recordRefusal(decision, error)
      metrics.entitlementDecided(typeOf(request), error.code)
      throw decided(error)
    }
  }

  /** A customer who is no longer in the database counts as disabled. */
  async #account(): Promise<Account> {
    const account = await orUnavailable(this.#parts.accounts.find(this.#parts.customerId))
    if (account === undefined) throw new TokenError({ code: -2031 }, { status: 200 })
    return account
  }

  /** Grants are in the log already, with their tokens. */
  async #recordRefusal(decision: Decision, { code, isInjected }: PublicError): Promise<void> {
    const { account, environment, requestId, family, content, cookie, deviceId } = decision
    const recording = this.#parts.ledger.append({
      customerId: account.id,
      environment,
      time: this.#parts.now(account.id),
      event: 'entitlement_refused',
      drm: family.drm,
      kids: content?.keys.map(({ kid }) => kid) ?? [],
      cookie,
      deviceId,
      errorCode: code,
      requestId,
      isInjected,
    })
    await orUnavailable(recording)
  }
}

export interface EntitlementParts extends GrantingParts {
  readonly environment: Environment
  /** The customer whose tokens are issued. */
  readonly customerId: number
  readonly ledger: Ledger
  readonly metrics: Metrics
}

function typeOf(request: EntitlementRequest | UnknownVersion): RequestType | 'unknown' {
  return 'unknownVersion' in request ? 'unknown' : request.requestType
}

/** A failure of this service or of the real one is no decision: it says nothing about the viewer. */
function isDecision(error: unknown): error is PublicError {
  return error instanceof PublicError && error.status < 500 && error.code !== UNAVAILABLE
}

/** A refused token is a decision, too, whatever status the token service gives it. */
function decided(refusal: PublicError): PublicError {
  if (refusal.status === 200) return refusal
  const { message, code, cause } = refusal
  return new PublicError(message, { code, status: 200, cause })
}

/** Until the content is known it is the DRM that the request names, or else the first. */
function familyAskedFor(request: EntitlementRequest | UnknownVersion, families: Families): TokenFamily {
  if ('drm' in request && request.drm !== undefined) return families.named(request.drm)
  const [first] = families.tokens
  if (first === undefined) throw new Error('no DRM has tokens')
  return first
}
