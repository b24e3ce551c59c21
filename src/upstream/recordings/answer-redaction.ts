import { type Randomness, randomBytes } from '../../ground/randomness.js'
import { SecretFinder, secretsOf } from '../secret-finder.js'
import type { UpstreamRequest } from '../token-exchange.js'
import type { RecordedAnswer } from './recording.js'
import { hiddenValues } from './redaction.js'

/** The outer bytes of a token: version, customer, length. */
const OUTER_CHARACTERS = 16
const SHORTEST_TOKEN = 64
/** A run of these is a token, wherever it is. */
const TOKEN = /[\w-]{64,}={0,2}/g
/** Also in an answer that ends in its middle. */
const TOKEN_IN_TEXT = /((?<="token"\s{0,9}:\s{0,9}")[^"]+)|[\w-]{64,}={0,2}/g

/** Makes an answer one that may be shared: stand-ins for its tokens, and nothing that it repeats of what is hidden. */
export class AnswerRedaction {
  readonly #keys: SecretFinder
  readonly #hidden: SecretFinder
  /** What may be a token of its own, or one's beginning. */
  readonly #long: SecretFinder
  readonly #random: Randomness
  readonly #standIns = new Map<string, string>()

  constructor(request: UpstreamRequest, random: Randomness) {
    const keys = secretsOf(request)
    const hidden = [...keys, ...hiddenValues(request.parameters)]
    this.#keys = new SecretFinder(keys)
    this.#hidden = new SecretFinder(hidden)
    this.#long = new SecretFinder(hidden.filter(({ length }) => length >= OUTER_CHARACTERS))
    this.#random = random
  }

  answer({ status, json, text = '' }: RecordedAnswer): RecordedAnswer {
    if (json === undefined) return { status, text: this.#text(text) }
    // First, so that it is known where another member repeats it.
    if (typeof json.token === 'string') this.#token(json.token)
    return { status, json: this.#object(json) }
  }

  #text(text: string): string {
    return this.#hidden
      .without(text)
      .replace(TOKEN_IN_TEXT, (run: string, member: string | undefined) =>
        member === undefined ? this.#standIn(run, 0) : this.#token(member.replaceAll('\\/', '/')),
      )
  }

  /** A key is nowhere else by chance. What else is hidden may be any word, and member names are the service's own. */
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

  /** A host and a path are the service's own as well. */
  #string(text: string): string {
    const [place = ''] = /^https?:\/\/[^\s?#]*/i.exec(text) ?? []
    const cleaned = this.#keys.without(place) + this.#hidden.without(text.slice(place.length))
    return cleaned.replace(TOKEN, run => this.#standIn(run, 0))
  }

  /** Where it is no token but what the request hides, its beginning is hidden, too. */
  #token(token: string): string {
    return this.#standIn(token, this.#long.without(token) === token ? OUTER_CHARACTERS : 0)
  }

  #standIn(token: string, kept: number): string {
    const known = this.#standIns.get(token) ?? standIn(token, kept, this.#random)
    this.#standIns.set(token, known)
    return known
  }
}

/** As long as the token, and spelt as it is. Only so much of its beginning is kept; the sealed part is random. */
function standIn(token: string, kept: number, random: Randomness): string {
  const [text = ''] = token.split('=', 1)
  const outer = text.length < SHORTEST_TOKEN ? '' : text.slice(0, kept)
  const sealed = text.length - outer.length
  const alphabet = /[+/]/.test(token) ? 'base64' : 'base64url'
  const bytes = randomBytes(random, Math.ceil((sealed * 3) / 4)).toString(alphabet)
  return outer + bytes.slice(0, sealed) + token.slice(text.length)
}
