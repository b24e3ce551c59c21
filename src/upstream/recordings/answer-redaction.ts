import { type Randomness, randomBytes } from '../../ground/randomness.js'
import { headerWithOtherUuid } from '../../tokens/outer-layout.js'
import { SecretFinder, secretsOf } from '../secret-finder.js'
import type { UpstreamRequest } from '../token-exchange.js'
import type { RecordedAnswer } from './recording.js'
import { hiddenValues } from './redaction.js'

/** The outer bytes of a token of 2015: version, customer, key number, length. */
const OUTER_CHARACTERS = 16
const MIN_TOKEN = 64
/** A long run of these characters counts as a token anywhere. */
const TOKEN = /[\w-]{64,}={0,2}/g
/** Also matches a token in a truncated answer. Each lookbehind has a short length, so the search does not backtrack. */
const TOKEN_IN_TEXT = new RegExp(
  [
    '(?<json>(?<="token"\\s{0,9}:\\s{0,9}")[^"]+)',
    '(?<url>(?<=[?&](?:ExpressPlayToken|b)=)[^\\s&#"\'<>]+)',
    '(?<xml>(?<=<(?:\\w{1,20}:)?BusinessToken>)[^<]+)',
    // In text, a token may have either alphabet of base64.
    '[\\w+/-]{64,}={0,2}',
  ].join('|'),
  'g',
)

/** Makes an answer safe to share: replaces its tokens with stand-ins, and redacts the request's hidden values. */
export class AnswerRedaction {
  readonly #keys: SecretFinder
  readonly #hidden: SecretFinder
  /** Hidden values that are long enough to be a token or its beginning. */
  readonly #long: SecretFinder
  readonly #random: Randomness
  readonly #standIns = new Map<string, string>()

  constructor(request: UpstreamRequest, random: Randomness) {
    const keys = secretsOf(request)
    const hidden = [...keys, ...hiddenValues(request)]
    this.#keys = new SecretFinder(keys)
    this.#hidden = new SecretFinder(hidden)
    this.#long = new SecretFinder(hidden.filter(({ length }) => length >= OUTER_CHARACTERS))
    this.#random = random
  }

  answer({ status, json, text = '' }: RecordedAnswer): RecordedAnswer {
    if (json === undefined) return { status, text: this.#text(text) }
    // First, so that a repetition in another member gets the same stand-in.
    if (typeof json.token === 'string') this.#token(json.token)
    return { status, json: this.#object(json) }
  }

  #text(text: string): string {
    return this.#hidden.without(text).replace(TOKEN_IN_TEXT, (run, json?: string, url?: string, xml?: string) => {
      if (json !== undefined) return this.#token(json.replaceAll('\\/', '/'))
      if (url !== undefined) return encodeURIComponent(this.#token(decoded(url)))
      return xml === undefined ? this.#standIn(run, () => '') : this.#token(xml.replace(/\s+/g, ''))
    })
  }

  /** Member names are the service's own, so only keys are redacted there: another hidden value may be any word. */
  #object(content: object): Record<string, unknown> {
    const members = Object.entries(content).map(([name, value]: [string, unknown]) => {
      const isToken = name === 'token' && typeof value === 'string'
      return [this.#keys.without(name), isToken ? this.#token(value) : this.#value(value)]
    })
    return Object.fromEntries(members)
  }

  #value(value: unknown): unknown {
    if (typeof value === 'string') return this.#string(value)
    if (Array.isArray(value)) return value.map(one => this.#value(one))
    return typeof value === 'object' && value !== null ? this.#object(value) : value
  }

  /** Host and path are the service's own, too. */
  #string(text: string): string {
    const [place = ''] = /^https?:\/\/[^\s?#]*/i.exec(text) ?? []
    const cleaned = this.#keys.without(place).replace(TOKEN, run => this.#standIn(run, () => ''))
    return cleaned + this.#text(text.slice(place.length))
  }

  /** A hidden value in place of a token gets a stand-in from its first character on. */
  #token(token: string): string {
    return this.#standIn(token, this.#long.without(token) === token ? outerTextOf : () => '')
  }

  #standIn(token: string, outerText: OuterText): string {
    const known = this.#standIns.get(token) ?? standIn(token, outerText, this.#random)
    this.#standIns.set(token, known)
    return known
  }
}

/** The characters with which a stand-in begins. */
type OuterText = (text: string, alphabet: 'base64' | 'base64url', random: Randomness) => string

/** Has the token's length and alphabet. Only the outer bytes are the token's own; the rest is random. */
function standIn(token: string, outerText: OuterText, random: Randomness): string {
  const [text = ''] = token.split('=', 1)
  const alphabet = /[+/]/.test(token) ? 'base64' : 'base64url'
  const outer = text.length < MIN_TOKEN ? '' : outerText(text, alphabet, random)
  const sealed = text.length - outer.length
  const bytes = randomBytes(random, Math.ceil((sealed * 3) / 4)).toString(alphabet)
  return outer + bytes.slice(0, sealed) + token.slice(text.length)
}

/** In the layout of 2021 with another UUID, so that the stand-in keeps the layout and is not the token's id. */
const outerTextOf: OuterText = (text, alphabet, random) => {
  const header = headerWithOtherUuid(Buffer.from(text, 'base64'), random)
  if (header === undefined) return text.slice(0, OUTER_CHARACTERS)
  // Up to a multiple of three bytes, which is whole characters.
  return Buffer.concat([header, randomBytes(random, (3 - (header.length % 3)) % 3)]).toString(alphabet)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // no valid UTF-8
  }
}
