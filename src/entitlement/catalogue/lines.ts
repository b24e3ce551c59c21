import { setImmediate as pause } from 'node:timers/promises'
import { createScanner } from 'jsonc-parser'

/** The names and indexes that lead to a value. */
export type JsonPath = readonly PropertyKey[]

// The token kinds. The library exports them as a const enum, which only a whole-program compiler can use.
const OPEN_BRACE = 1
const CLOSE_BRACE = 2
const OPEN_BRACKET = 3
const CLOSE_BRACKET = 4
const COMMA = 5
const COLON = 6
const END = 17

/** Tokens between two pauses: a few milliseconds. */
const AT_A_TIME = 20_000

/**
 * The lines of these values in a JSON text, counted from 1. A missing value has the line of the object or list that
 * lacks it. `JSON.parse` reports no lines, so a text with faults is scanned a second time.
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

/** A value whose line is wanted, and the wanted values in it. */
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

/** Walks over the tokens of a valid JSON text and notes the lines of the wanted values. */
class Walk {
  /** The lists and objects around the current token; one without wanted values has no place. */
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

  /** A named value has the line of its name. */
  #note(isHere: boolean, line: () => number): void {
    if (isHere && this.#place !== undefined) this.#place.line = line()
  }
}
