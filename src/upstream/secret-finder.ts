import type { ParameterText } from '../../schemas/sorting.js'
import { readingsOf } from './spellings.js'
import type { UpstreamRequest } from './token-exchange.js'

/** A shorter one is found by chance in what is none. */
const SHORTEST_SECRET = 8
const UNITS = 0x10000

/**
 * Finds secrets in a text, in whatever case and with whatever escapes it spells them. All are looked for at once (Aho
 * and Corasick's search), so that the time is in proportion to the text and to the secrets, whatever callers put there.
 */
export class SecretFinder {
  readonly #shortest: number
  /** The state that a character leads to from another state, by `state * UNITS + character`. */
  readonly #next = new Map<number, number>()
  readonly #steps: Step[] = []
  /** Of each state: the longest other state that what was read may as well be the beginning of. */
  readonly #instead: number[] = [0]
  /** Of each state: the length of the longest secret that ends there; 0 where none does. */
  readonly #ending: number[] = [0]

  constructor(secrets: readonly string[]) {
    const spelled = secrets.flatMap(secret => readingsOf(secret).map(({ text }) => text))
    const wanted = [...new Set(spelled)].filter(({ length }) => length >= SHORTEST_SECRET)
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
    return isFound ? blotted(text, found) : text
  }

  #learn(secret: string): void {
    let state = 0
    for (let at = 0; at < secret.length; at++) {
      const [from, unit] = [state, secret.charCodeAt(at)]
      const step = from * UNITS + unit
      const known = this.#next.get(step)
      state = known ?? this.#instead.length
      if (known !== undefined) continue
      this.#next.set(step, state)
      this.#steps.push({ from, unit, state, depth: at })
      this.#instead.push(0)
      this.#ending.push(0)
    }
    this.#ending[state] = secret.length
  }

  /** From the shorter states to the longer ones, because each needs those that are shorter than it. */
  #linkStates(): void {
    for (const { from, unit, state } of this.#steps.sort((one, other) => one.depth - other.depth)) {
      const instead = from === 0 ? 0 : this.#after(this.#instead[from] ?? 0, unit)
      this.#instead[state] = instead
      if (this.#ending[state] === 0) this.#ending[state] = this.#ending[instead] ?? 0
    }
  }

  #after(state: number, unit: number): number {
    for (let from = state; ; from = this.#instead[from] ?? 0) {
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
  /** How many steps are before it. */
  readonly depth: number
}

function lengthsOf(texts: readonly string[]): number[] {
  return [...new Set(texts.map(({ length }) => length))]
}

/** Notes where secrets begin (1) and end (-1), so that many of them over one place cost no more than one. */
function mark(found: Int32Array, place: number | undefined, change: 1 | -1): void {
  if (place !== undefined) found[place] = (found[place] ?? 0) + change
}

function blotted(text: string, found: Int32Array): string {
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

const SECRET = /^(?:contentKey|kek|ek)(?:\.\d+)?$/
/** The documented parameters that look like keys and are none. */
const PUBLIC = /^(?:kid(?:\.\d+)?|deviceId|cookie|extensionPayload(?:\.\d+)?)$/
const LIKE_A_KEY = /[0-9a-f]{32,}/i

/** A misspelt contentKey is a content key, too. */
export function isSecret(name: string, value: ParameterText): boolean {
  return SECRET.test(name) || (!PUBLIC.test(name) && [value].flat().some(one => LIKE_A_KEY.test(one)))
}

/** The keys of a request, and the real service's authenticator. */
export function secretsOf({ authenticator, parameters }: Pick<UpstreamRequest, 'authenticator' | 'parameters'>) {
  const keys = Object.entries(parameters).flatMap(([name, value]) => (isSecret(name, value) ? [value].flat() : []))
  return [authenticator, authenticator.replace(/^\d+,/, ''), ...keys]
}

/** A text of the real service, without what of the request's secrets it repeats. */
export function withoutSecrets(text: string, request: UpstreamRequest): string {
  return new SecretFinder(secretsOf(request)).without(text)
}
