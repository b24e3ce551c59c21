import { randomUUID, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import {
  customerCookie,
  type EntitlementRequest,
  guid,
  REQUEST_TYPES,
  type RequestType,
  VERSION,
} from '../../../schemas/entitlement.js'
import { RemoteService } from '../../connections/remote-service.js'
import { type FailureKind, isAboutCertificate, RequestFailure } from '../../connections/request-failure.js'
import { machineClock } from '../../ground/clock.js'
import { TOKEN_DRMS, type TokenDrm } from '../../ground/drms.js'
import { decisionOf, type Entitlement } from './decision.js'
import { type DenialReason, type Denied, denied } from './denials.js'

/** An answer has a few hundred bytes; anything larger is not an answer. */
const MAX_ANSWER = 65_536
const HEADERS = ['accept', 'application/json', 'content-type', 'application/json']

export interface EntitlementClientOptions {
  /** Where the service is: `https://entitlement.example.com`. A URL without a path gets `/entitlement`. */
  readonly url: string | URL
  /** The client certificate and its intermediates, in PEM. */
  readonly cert?: string | undefined
  /** Its private key, in PEM. */
  readonly key?: string | undefined
  /** The authorities of the service's certificate, in PEM, instead of Node's own list. */
  readonly ca?: string | undefined
  /** Milliseconds from a question to its answer, connecting included. Default: 2000. */
  readonly timeout?: number | undefined
  /** The most questions in flight at once. Default: 64. Further questions wait, within their timeout. */
  readonly connections?: number | undefined
  /** Makes the message ids, which are GUIDs. */
  readonly newId?: (() => string) | undefined
}

export interface EntitlementQuestion {
  /** A GUID: the id that the content got when it was packaged. */
  readonly contentID: string
  /** 1 time-based, the default; 2 device registration; 3 device-bound. */
  readonly requestType?: RequestType | undefined
  /** The viewer, up to 32 characters. Needed for request types 2 and 3. */
  readonly customerCookie?: string | undefined
  /** The DRM of the token; without it the service chooses. A field of ours, which other services ignore. */
  readonly drm?: TokenDrm | undefined
  /** Default: a new one. */
  readonly messageID?: string | undefined
}

/**
 * Asks an entitlement service whether a viewer may have a key (spec: sees.md):
 *
 *     const client = new EntitlementClient({ url: 'https://entitlement.example.com', cert, key, ca })
 *     const entitlement = await client.ask({ contentID: '3f2504e0-4f89-11d3-9a0c-0305e82c3301' })
 *     if (entitlement.isAllowed) console.log(entitlement.epTokenURL)
 *     else console.log(entitlement.error, entitlement.errorText)
 *     await client.close()
 *
 * Anything but a clear permission of the service is a denial.
 */
export class EntitlementClient {
  readonly #service: RemoteService
  readonly #path: string
  readonly #newId: () => string

  /** Throws a TypeError that names the wrong option. */
  constructor({ url, timeout = 2000, connections = 64, newId = randomUUID, ...identity }: EntitlementClientOptions) {
    requireWhole(timeout, 'timeout', 2 ** 31 - 1)
    requireWhole(connections, 'connections', 65_535)
    const endpoint = endpointOf(url)
    this.#path = endpoint.pathname
    this.#newId = newId
    this.#service = new RemoteService({
      url: new URL(endpoint.origin),
      connections,
      queue: Number.POSITIVE_INFINITY,
      timeout,
      connectTimeout: timeout,
      largestAnswer: MAX_ANSWER,
      tls: { secureContext: secureContextOf(identity) },
      clock: machineClock(),
    })
  }

  /** Rejects only with a TypeError, for an invalid question. */
  async ask(question: EntitlementQuestion): Promise<Entitlement> {
    const request = requestOf(question, this.#newId)
    const body = JSON.stringify(request)
    const answer = await this.#service.ask({ method: 'POST', path: this.#path, headers: HEADERS, body })
    return answer instanceof RequestFailure ? denialOf(answer) : decisionOf(answer, request)
  }

  /** Closes the connections. Questions in flight and later ones are denied. */
  async close(): Promise<void> {
    await this.#service.close()
  }
}

const DENIALS: Partial<Record<FailureKind, DenialReason>> = {
  'not reached in time': 'late',
  'queue full': 'late',
  'timed out': 'late',
  'too large': 'tooLarge',
}

function denialOf(failure: RequestFailure): Denied {
  const { kind, reason } = failure
  if (reason === 'UND_ERR_DESTROYED' || reason === 'UND_ERR_CLOSED') return denied('closed')
  // An alert is about our certificate, not about the service's.
  if (isAboutCertificate(failure) && !reason?.includes('ALERT')) return denied('untrusted', reason)
  return denied(DENIALS[kind] ?? 'unreachable', reason)
}

function requestOf(question: EntitlementQuestion, newId: () => string): EntitlementRequest {
  const { contentID, requestType = REQUEST_TYPES.timeBased, customerCookie: cookie, drm } = question
  const messageID = question.messageID ?? newId()
  requireThat(guid.safeParse(messageID).success, 'messageID must be a GUID')
  requireThat(guid.safeParse(contentID).success, 'contentID must be a GUID')
  requireThat(Object.values(REQUEST_TYPES).includes(requestType), 'requestType must be 1, 2 or 3')
  requireThat(
    cookie === undefined || customerCookie.safeParse(cookie).success,
    'customerCookie must have 1 to 32 characters',
  )
  requireThat(drm === undefined || TOKEN_DRMS.includes(drm), `drm must be one of ${TOKEN_DRMS.join(', ')}`)
  const needsCookie = requestType !== REQUEST_TYPES.timeBased
  requireThat(cookie !== undefined || !needsCookie, `requestType ${requestType} needs a customerCookie`)
  return { messageID, version: VERSION, requestType, contentID, customerCookie: cookie, drm }
}

function endpointOf(given: string | URL): URL {
  const text = String(given)
  const url = URL.canParse(text) ? new URL(text) : undefined
  const ignored = url === undefined ? '' : url.username + url.password + url.search + url.hash
  if (url?.protocol !== 'https:' || ignored !== '')
    throw new TypeError('url must be an https URL, such as https://entitlement.example.com')
  if (url.pathname === '/') url.pathname = '/entitlement'
  return url
}

function requireWhole(number: number, name: string, most: number): void {
  requireThat(Number.isInteger(number) && number >= 1 && number <= most, `${name} must be a whole number from 1`)
}

function requireThat(isSo: boolean, message: string): void {
  if (!isSo) throw new TypeError(message)
}

/** Reads the texts at once, so that the caller gets the error for a wrong one. */
function secureContextOf({ cert, key, ca }: Pick<EntitlementClientOptions, 'cert' | 'key' | 'ca'>): SecureContext {
  if ((cert === undefined) !== (key === undefined)) throw new TypeError('cert and key must be given together')
  // Node treats an empty text as missing.
  if (cert === '' || key === '') throw new TypeError(WRONG_IDENTITY)
  // OpenSSL accepts a text without certificates, and then trusts no service.
  if (ca !== undefined) requireCertificate(ca)
  try {
    return createSecureContext({ cert, key, ca, minVersion: 'TLSv1.2' })
  } catch {
    // The reason may quote a key.
    throw new TypeError(WRONG_IDENTITY)
  }
}

const WRONG_IDENTITY = 'cert and key must be a certificate and its private key in PEM'

function requireCertificate(ca: string): void {
  try {
    new X509Certificate(ca)
  } catch {
    throw new TypeError('ca must be certificates in PEM')
  }
}
