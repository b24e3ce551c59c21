import { randomUUID } from 'node:crypto'
import {
  customerCookie,
  type EntitlementRequest,
  guid,
  REQUEST_TYPES,
  type RequestType,
  VERSION,
} from '../../../schemas/entitlement.js'
import { Connections } from './connections.js'
import { decisionOf, type Entitlement } from './decision.js'

export interface EntitlementClientOptions {
  /** Where the service is: `https://entitlement.example.com`. A URL without a path gets `/entitlement`. */
  readonly url: string | URL
  /** The certificate that the service knows us by, and what lies between it and its authority, in PEM. */
  readonly cert?: string | undefined
  /** Its private key, in PEM. */
  readonly key?: string | undefined
  /** The authorities that may have certified the service, in PEM, instead of those that Node knows. */
  readonly ca?: string | undefined
  /** Milliseconds from a question to its answer, connecting among it: 2000 when it is not given. */
  readonly timeout?: number | undefined
  /** So many questions are under way at once, 64 when it is not given; others wait, within their time. */
  readonly connections?: number | undefined
  /** Makes the ids of messages, which are GUIDs. */
  readonly newId?: (() => string) | undefined
}

export interface EntitlementQuestion {
  /** A GUID: the id that the content got when it was packaged. */
  readonly contentID: string
  /** 1 time-based, which it is when it is not given; 2 device registration; 3 device-bound. */
  readonly requestType?: RequestType | undefined
  /** The viewer, up to 32 characters. Needed for request types 2 and 3. */
  readonly customerCookie?: string | undefined
  /** Instead of a new one. */
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
 * Whatever the service does: what it does not clearly allow is denied.
 */
export class EntitlementClient {
  readonly #connections: Connections
  readonly #newId: () => string

  /** Throws a TypeError that names the option which is wrong. */
  constructor({ url, timeout = 2000, connections = 64, newId = randomUUID, ...identity }: EntitlementClientOptions) {
    requireWhole(timeout, 'timeout', 2 ** 31 - 1)
    requireWhole(connections, 'connections', 65_535)
    this.#connections = new Connections({ url: endpointOf(url), timeout, connections, ...identity })
    this.#newId = newId
  }

  /** Rejects with a TypeError for a question that is none, and for nothing else. */
  async ask(question: EntitlementQuestion): Promise<Entitlement> {
    const request = requestOf(question, this.#newId)
    const received = await this.#connections.post(JSON.stringify(request))
    return 'isAllowed' in received ? received : decisionOf(received, request)
  }

  /** Lets go of the connections. What is under way, or asked later, is denied. */
  async close(): Promise<void> {
    await this.#connections.close()
  }
}

function requestOf(question: EntitlementQuestion, newId: () => string): EntitlementRequest {
  const { contentID, requestType = REQUEST_TYPES.timeBased, customerCookie: cookie } = question
  const messageID = question.messageID ?? newId()
  requireThat(guid.safeParse(messageID).success, 'messageID must be a GUID')
  requireThat(guid.safeParse(contentID).success, 'contentID must be a GUID')
  requireThat(Object.values(REQUEST_TYPES).includes(requestType), 'requestType must be 1, 2 or 3')
  requireThat(
    cookie === undefined || customerCookie.safeParse(cookie).success,
    'customerCookie must have 1 to 32 characters',
  )
  const needsCookie = requestType !== REQUEST_TYPES.timeBased
  requireThat(cookie !== undefined || !needsCookie, `requestType ${requestType} needs a customerCookie`)
  return { messageID, version: VERSION, requestType, contentID, customerCookie: cookie }
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
