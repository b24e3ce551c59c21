import type { ParameterText } from '../../schemas/sorting.js'
import { readingsOf } from './spellings.js'
import type { UpstreamRequest } from './token-exchange.js'

/** A shorter secret would match harmless text by chance. */
const MIN_SECRET = 8
const UNITS = 0x10000

/**
 * Finds secrets in a text, in any case and with any escapes. It searches for all of them at once (Aho-Corasick), so the
 * time is linear in the text and the secrets for any input.
 */
export class SecretFinder {
  readonly #shortest: number
  /** The transitions: the next state by `state * UNITS + character`. */
  readonly #next = new Map<number, number>()
  readonly #steps: Step[] = []
  /** The failure link of each state: the state of the longest proper suffix of what was read. */
  readonly #failureLinks: number[] = [0]
  /** By state: the length of the longest secret that ends there, or 0. */
  readonly #ending: number[] = [0]

  constructor(secrets: readonly string[]) {
    const spelled = secrets.flatMap(secret => readingsOf(secret).map(({ text }) => text))
    const wanted = [...new Set(spelled)].filter(({ length }) => length >= MIN_SECRET)
    this.#shortest = Math.min(Number.POSITIVE_INFINITY, ...lengthsOf(wanted))
    for (const secret of wanted) this.#learn(secret)
    this.#linkStates()
  }

  /** The text with `…` in place of each secret. */
  without(text: string): string {
    if (text.length < this.#shortest) return text
    const found = new Int32Array(text.length + 1)
    let isFound = false
    for (const reading of readingsOf(text)) {
      let state = 0
      for (let at = 0; at < reading.text.length; at++) {
        state = this.#after(state, reading.text.charCodeAt(at))
        const length = this.#ending[state] ?? 0
        if (length === 0) continue
        isFound = true
        mark(found, reading.places[at + 1 - length], 1)
        mark(found, reading.places[at + 1], -1)
      }
    }
    return isFound ? redacted(text, found) : text
  }

  #learn(secret: string): void {
    let state = 0
    for (let at = 0; at < secret.length; at++) {
      const [from, unit] = [state, secret.charCodeAt(at)]
      const step = from * UNITS + unit
      const known = this.#next.get(step)
      state = known ?? this.#failureLinks.length
      if (known !== undefined) continue
      this.#next.set(step, state)
      this.#steps.push({ from, unit, state, depth: at })
      this.#failureLinks.push(0)
      this.#ending.push(0)
    }
    this.#ending[state] = secret.length
  }

  /** By ascending depth, because each link depends on the shallower ones. */
  #linkStates(): void {
    for (const { from, unit, state } of this.#steps.sort((one, other) => one.depth - other.depth)) {
      const instead = from === 0 ? 0 : this.#after(this.#failureLinks[from] ?? 0, unit)
      this.#failureLinks[state] = instead
      if (this.#ending[state] === 0) this.#ending[state] = this.#ending[instead] ?? 0
    }
  }

  #after(state: number, unit: number): number {
    for (let from = state; ; from = this.#failureLinks[from] ?? 0) {
      const next = this.#next.get(from * UNITS + unit)
      if (next !== undefined) return next
      if (from === 0) return 0
    }
  }
}

interface Step {
  readonly from: number
  readonly unit: number
  readonly state: number
  /** The number of steps before this one. */
  readonly depth: number
}

function lengthsOf(texts: readonly string[]): number[] {
  return [...new Set(texts.map(({ length }) => length))]
}

/** Marks where secrets begin (1) and end (-1), so that overlapping ones cost no more than a single one. */
function mark(found: Int32Array, place: number | undefined, change: 1 | -1): void {
  if (place !== undefined) found[place] = (found[place] ?? 0) + change
}

function redacted(text: string, found: Int32Array): string {
  const parts: string[] = []
  let open = 0
  let begin = 0
  for (let at = 0; at <= text.length; at++) {
    const change = found[at] ?? 0
    if (change === 0) continue
    if (open === 0) parts.push(text.slice(begin, at), '…')
    open += change
    if (open === 0) begin = at
  }
  parts.push(text.slice(begin))
  return parts.join('')
}

const SECRET = /^(?:contentKey|kek|ek|userKey)(?:\.\d+)?$/
/** The documented parameters that may look like keys but are public. */
const PUBLIC =
  /^(?:deviceId|cookie|userId|(?:kid|contentId|iv|extensionPayload|wvExtension|fpExtension|ms3Extension)(?:\.\d+)?)$/
const LIKE_A_KEY = /[0-9a-f]{32,}/i

/** A misspelt contentKey counts as a content key, too. */
export function isSecret(name: string, value: ParameterText): boolean {
  return SECRET.test(name) || (!PUBLIC.test(name) && [value].flat().some(one => LIKE_A_KEY.test(one)))
}

/** The keys of a request and the real service's authenticator. */
export function secretsOf({ authenticator, parameters }: Pick<UpstreamRequest, 'authenticator' | 'parameters'>) {
  const keys = Object.entries(parameters).flatMap(([name, value]) => (isSecret(name, value) ? [value].flat() : []))
  return [authenticator, authenticator.replace(/^\d+,/, ''), ...keys]
}

/** A text of the real service without the request's secrets. */
export function withoutSecrets(text: string, request: UpstreamRequest): string {
  return new SecretFinder(secretsOf(request)).without(text)
}
