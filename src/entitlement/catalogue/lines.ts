import { setImmediate as pause } from 'node:timers/promises'
import { createScanner } from 'jsonc-parser'

/** Names and indexes on the way to a value. */
export type JsonPath = readonly PropertyKey[]

// The kinds of tokens, which the library exports in a form that only a compiler of whole programs can use.
const OPEN_BRACE = 1
const CLOSE_BRACE = 2
const OPEN_BRACKET = 3
const CLOSE_BRACKET = 4
const COMMA = 5
const COLON = 6
const END = 17

/** So many tokens are gone through at a time: a few milliseconds. */
const AT_A_TIME = 20_000

/**
 * The lines, counted from 1, on which these values stand in a JSON text; of one that is not there, the line of what
 * it is missing from. `JSON.parse` knows no lines, so a text with faults is gone through again.
 */
export async function linesOf(text: string, paths: readonly JsonPath[]): Promise<number[]> {
  const root = wantedIn(paths)
  const scanner = createScanner(text, true)
  const walk = new Walk(root)
  for (let count = 1, token = scanner.scan(); token !== END; count++, token = scanner.scan()) {
    if (count % AT_A_TIME === 0) await pause()
    walk.step(
      token,
      () => scanner.getTokenValue(),
      () => scanner.getTokenStartLine() + 1,
    )
  }
  return paths.map(path => lineOf(root, path))
}

/** A value whose line is wanted, and those in it. */
interface Wanted {
  line: number
  readonly inside: Map<string, Wanted>
}

function wantedIn(paths: readonly JsonPath[]): Wanted {
  const root: Wanted = { line: 1, inside: new Map() }
  for (const path of paths) {
    let place = root
    for (const step of path) {
      const next = place.inside.get(String(step)) ?? { line: 0, inside: new Map() }
      place.inside.set(String(step), next)
      place = next
    }
  }
  return root
}

function lineOf(root: Wanted, path: JsonPath): number {
  let { line } = root
  let place: Wanted | undefined = root
  for (const step of path) {
    place = place?.inside.get(String(step))
    if (place === undefined || place.line === 0) return line
    line = place.line
  }
  return line
}

/** Goes from token to token through a text that is known to be JSON, and notes the lines of what is wanted. */
class Walk {
  /** The lists and objects around the present token; where nothing in one is wanted, it has no place. */
  readonly #around: { readonly place: Wanted | undefined; index: number | undefined }[] = []
  #place: Wanted | undefined
  #isName = false

  constructor(root: Wanted) {
    this.#place = root
  }

  step(token: number, value: () => string, line: () => number): void {
    const inside = this.#around.at(-1)
    switch (token) {
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#enter(token === OPEN_BRACKET, line)
        break
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.#around.pop()
        break
      case COMMA:
        this.#isName = inside?.index === undefined
        if (inside?.index !== undefined) this.#place = inside.place?.inside.get(String(++inside.index))
        break
      case COLON:
        break
      default:
        if (this.#isName) this.#place = inside?.place?.inside.get(value())
        this.#note(this.#isName || inside?.index !== undefined, line)
        this.#isName = false
    }
  }

  #enter(isList: boolean, line: () => number): void {
    this.#note(this.#around.at(-1)?.index !== undefined, line)
    this.#around.push({ place: this.#place, index: isList ? 0 : undefined })
    this.#place = isList ? this.#place?.inside.get('0') : undefined
    this.#isName = !isList
  }

  /** What has a name is where its name is. */
  #note(isHere: boolean, line: () => number): void {
    if (isHere && this.#place !== undefined) this.#place.line = line()
  }
}
