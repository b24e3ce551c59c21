import { AUTHENTICATOR } from '../../schemas/credentials.js'
import { entitlementRequest } from '../../schemas/entitlement.js'
import { newKey } from '../../schemas/keystore.js'
import { viewerParameters } from '../../schemas/licences.js'
import { psshRequest } from '../../schemas/pssh.js'
import { recordParameters } from '../../schemas/records.js'
import { tokenRequestParameters } from '../../schemas/token-request.js'
import { TOKEN_FAMILIES } from '../drm/families.js'
import { SecretFinder } from '../upstream/secret-finder.js'
import type { RecordedRequest } from './journal.js'

/** What is shown in place of a secret, and of what may be one. */
export const MASK = '…'

const SECRET = /^(?:contentKey|kek|ek|k|userKey|customerAuthenticator|ExpressPlayToken|token|b)$/i
/** What looks like a key there is public. */
const PUBLIC =
  /^(?:kid|kids|keyId|deviceId|cookie|customerCookie|userId|contentId|contentID|messageID|iv|extensionPayload|(?:wv|fp|ms3)Extension)$/i
/** What is long there is public. */
const LONG = /^(?:extensionPayload|(?:wv|fp|ms3)Extension)$/
const LIKE_A_KEY = /[0-9a-f]{32,}/gi
const HAS_LIKE_A_KEY = /[0-9a-f]{32,}/i
const LIKE_AN_AUTHENTICATOR = /\d{1,10}(?:,|%2C)[0-9a-f]{32}/gi
const LIKE_A_TOKEN = /[\w+/=-]{41,}/g
/** Letters, or too short to be a secret, as in the log's lines. */
const HARMLESS = /^(?:[A-Za-z_-]{0,24}|[\w.-]{1,8})$/
const NUMBER = /\.\d{1,9}$/

const MOST_NAMES = 200
const MOST_VALUES = 20
/** A longer text is cut. */
const LONGEST = 2000
const DEEPEST = 8

export type ShownValue = string | readonly string[]

/** The texts of one request without its secrets, wherever they stand. */
export class Masking {
  readonly #request: RecordedRequest
  readonly #finder: SecretFinder

  constructor(request: RecordedRequest) {
    this.#request = request
    this.#finder = new SecretFinder(secretsOf(request))
  }

  /** Those of the query, then those of the body; a name that comes several times has a list. */
  parameters(): Record<string, ShownValue> {
    const shown = new Map<string, ShownValue>()
    const { url, body } = this.#request
    for (const [name, value] of [...queryOf(url), ...entriesOf(body)].slice(0, MOST_NAMES)) {
      const key = this.name(name)
      const values = textsOf(value).map(text => (text === undefined ? MASK : this.#value(name, text)))
      const all = [shown.get(key) ?? [], values].flat()
      shown.set(key, all.length === 1 ? (all[0] ?? MASK) : all.slice(0, MOST_VALUES))
    }
    return Object.fromEntries(shown)
  }

  /** A name that nothing documents may be a value in the wrong place. */
  name(name: string): string {
    return documented().has(stemOf(name)) || HARMLESS.test(name) ? this.#finder.without(name) : MASK
  }

  /** A caller may choose it. */
  id(): string {
    return this.#finder.without(this.#request.id)
  }

  /** Without the query. Of a route's parameters only key ids are shown. */
  path(): string {
    const { url, route } = this.#request
    const pattern = route?.split('/')
    return url
      .replace(/[?#].*$/s, '')
      .split('/')
      .map((segment, place) => this.#segment(segment, pattern?.[place]))
      .join('/')
      .slice(0, 500)
  }

  /** A text that any caller may have written, such as a user agent. */
  text(text: string): string {
    return cut(
      this.#finder
        .without(text)
        .replace(LIKE_AN_AUTHENTICATOR, MASK)
        .replace(LIKE_A_KEY, MASK)
        .replace(LIKE_A_TOKEN, MASK),
    )
  }

  #segment(segment: string, pattern: string | undefined): string {
    if (segment === pattern) return segment
    const isKids = /^:kids?$/.test(pattern ?? '') && /^(?:[0-9a-f]{32})(?:,[0-9a-f]{32})*$/i.test(segment)
    return isKids || HARMLESS.test(segment) ? this.#finder.without(segment) : MASK
  }

  #value(name: string, text: string): string {
    const stem = stemOf(name)
    if (isMasked(stem, text)) return MASK
    const found = this.#finder.without(text).replace(LIKE_AN_AUTHENTICATOR, MASK)
    return cut(LONG.test(stem) ? found : found.replace(LIKE_A_TOKEN, MASK))
  }
}

/** Whether no part of such a value is ever shown. */
export function isSecretName(name: string): boolean {
  return SECRET.test(stemOf(name))
}

function isMasked(stem: string, text: string): boolean {
  if (SECRET.test(stem)) return true
  if (!documented().has(stem)) return !HARMLESS.test(text)
  return !PUBLIC.test(stem) && HAS_LIKE_A_KEY.test(text)
}

/** Everything that is masked somewhere in the request, and its headers that carry secrets. */
function secretsOf({ url, body, secretHeaders = [] }: RecordedRequest): string[] {
  const secrets: string[] = []
  const add = (text: string) => {
    if (text.length > 0) secrets.push(text.slice(0, LONGEST))
    if (AUTHENTICATOR.test(text)) secrets.push(text.replace(/^\d+,/, ''))
  }
  for (const [name, text] of [...queryOf(url), ...leavesOf('', body, 0)]) if (isMasked(stemOf(name), text)) add(text)
  for (const header of secretHeaders) for (const text of textsOf(header)) add((text ?? '').replace(/^\w+ +/, ''))
  return secrets.slice(0, MOST_NAMES)
}

/** In the order in which they came. */
function queryOf(url: string): [string, string][] {
  const start = url.indexOf('?')
  return start === -1 ? [] : [...new URLSearchParams(url.slice(start + 1))]
}

/** Every text of a value, with the name next above it. */
function leavesOf(name: string, value: unknown, depth: number): [string, string][] {
  if (typeof value === 'string') return [[name, value]]
  if (depth >= DEEPEST) return []
  if (Array.isArray(value)) return value.flatMap(one => leavesOf(name, one, depth + 1))
  return entriesOf(value).flatMap(([inner, one]) => leavesOf(inner, one, depth + 1))
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : []
}

/** As texts; `undefined` where it has parts of its own. */
function textsOf(value: unknown): (string | undefined)[] {
  if (Array.isArray(value))
    return value.slice(0, MOST_VALUES).map(one => (Array.isArray(one) ? undefined : textsOf(one)[0]))
  if (value === undefined) return []
  return [typeof value === 'object' && value !== null ? undefined : String(value)]
}

function stemOf(name: string): string {
  return name.replace(NUMBER, '')
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}${MASK}` : text
}

let names: ReadonlySet<string> | undefined

/** Every documented name. Made when somebody reads for the first time. */
function documented(): ReadonlySet<string> {
  names ??= new Set([
    ...TOKEN_FAMILIES.flatMap(family => [
      ...Object.values(tokenRequestParameters(family, family.policySchema(EPOCH), EPOCH)).flatMap(Object.keys),
      ...Object.keys(family.aliases ?? {}),
    ]),
    ...['errorFormat', 'deviceid', 'kids'],
    ...[recordParameters, viewerParameters, entitlementRequest.shape, newKey.shape, psshRequest.shape].flatMap(shape =>
      Object.keys(shape),
    ),
  ])
  return names
}

const EPOCH = () => 0
