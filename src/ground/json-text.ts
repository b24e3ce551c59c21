import { isUtf8 } from 'node:buffer'

/** Why a text is not taken as JSON. Never a part of the text, which may hold keys. */
export type JsonTextFault = 'is not UTF-8' | 'is not JSON' | 'has a name twice in one object'

export class JsonTextError extends Error {
  constructor(
    readonly fault: JsonTextFault,
    /** Where the repeated name begins. */
    readonly position?: number,
  ) {
    super(`The text ${fault}`)
    this.name = 'JsonTextError'
  }
}

/**
 * The value of a JSON text, or a JsonTextError. `JSON.parse` replaces bytes that are not UTF-8, so two viewers could
 * become one, and takes the last of two members with one name, so a text could say two things to two readers.
 */
export function parseJson(text: string | Buffer): unknown {
  const { value, repeated } = parsedInSlices(text)
  let step = repeated.next()
  while (step.done !== true) step = repeated.next()
  return accepted(value, step.value)
}

/** The same for a large text: awaits `pause` after each slice, so that the event loop is not blocked. */
export async function parseLargeJson(text: string, pause: () => Promise<unknown>): Promise<unknown> {
  const { value, repeated } = parsedInSlices(text)
  let step = repeated.next()
  for (; step.done !== true; step = repeated.next()) await pause()
  return accepted(value, step.value)
}

function parsedInSlices(given: string | Buffer) {
  if (typeof given !== 'string' && !isUtf8(given)) throw new JsonTextError('is not UTF-8')
  const text = given.toString()
  try {
    return { value: JSON.parse(text) as unknown, repeated: repeatedName(text) }
  } catch {
    throw new JsonTextError('is not JSON')
  }
}

function accepted(value: unknown, repeated: number | undefined): unknown {
  if (repeated !== undefined) throw new JsonTextError('has a name twice in one object', repeated)
  return value
}

const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** About a millisecond's work. */
const SLICE = 100_000

/** The position of a repeated name in an object of a valid JSON text; yields after every slice. */
function* repeatedName(text: string): Generator<void, number | undefined> {
  const names = new NamesInScope()
  let sliceEnd = SLICE
  for (let position = 0; position < text.length; position++) {
    if (position >= sliceEnd) {
      sliceEnd = position + SLICE
      yield
    }
    const character = text.charCodeAt(position)
    if (character !== QUOTE) {
      names.pass(character)
      continue
    }
    const end = endOfString(text, position)
    if (names.isNext && !names.add(nameIn(text.slice(position, end + 1)))) return position
    position = end
  }
  return undefined
}

/** The names of the object that a reader is in, and of those around it. */
class NamesInScope {
  readonly #around: (Set<string> | undefined)[] = []
  /** `undefined` in a list. */
  #names: Set<string> | undefined
  #isNext = false

  /** Whether the next string is a name. */
  get isNext(): boolean {
    return this.#isNext
  }

  /** Returns whether the name is new. */
  add(name: string): boolean {
    this.#isNext = false
    if (this.#names?.has(name)) return false
    this.#names?.add(name)
    return true
  }

  /** Anything outside of strings. */
  pass(character: number): void {
    switch (character) {
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#around.push(this.#names)
        this.#isNext = character === OPEN_BRACE
        this.#names = this.#isNext ? new Set() : undefined
        break
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.#names = this.#around.pop()
        this.#isNext = false
        break
      case COMMA:
        this.#isNext = this.#names !== undefined
    }
  }
}

/** The quote that ends the string which begins here: the first with an even number of backslashes before it. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return end
  }
}

/** Two spellings of one name are the same name. */
function nameIn(literal: string): string {
  return literal.includes('\\') ? String(JSON.parse(literal)) : literal.slice(1, -1)
}
