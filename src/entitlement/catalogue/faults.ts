import * as z from 'zod'
import { jsonFaults } from '../../../schemas/json-faults.js'
import { type JsonPath, linesOf } from './lines.js'

/** Every fault of a catalogue, as a line of text without values of the file. */
export class BrokenCatalogue extends Error {
  constructor(readonly faults: readonly string[]) {
    super(faults.join('\n'))
    this.name = 'BrokenCatalogue'
  }
}

/** Faults that the error lists; it only counts the others. */
const MAX_LISTED = 20

interface CatalogueFault {
  readonly path: JsonPath
  readonly place: string
  readonly message: string
  /** Another place that the message refers to. */
  readonly other?: JsonPath
}

/** The first faults of a catalogue, and how many there are. */
export class CatalogueFaults {
  readonly #first: CatalogueFault[] = []
  #count = 0

  get areNone(): boolean {
    return this.#count === 0
  }

  add(before: JsonPath, issues: readonly z.core.$ZodIssue[]): void {
    const error = new z.ZodError(issues.map(issue => ({ ...issue, path: [...before, ...issue.path] })))
    for (const [index, { place, message }] of jsonFaults(error).entries())
      this.#put({ path: pathOf(error.issues[index]), place, message })
  }

  addRepeated(index: number, former: () => number): void {
    const path = ['contents', index, 'contentID']
    const place = `contents[${index}].contentID`
    // Looked up only for a listed fault: every content may be a repeated one.
    const other = this.#isFull ? [] : ['contents', former(), 'contentID']
    this.#put({ path, place, message: 'is that of the content on', other })
  }

  async asError(text: string): Promise<BrokenCatalogue> {
    const paths = this.#first.flatMap(({ path, other = [] }) => [path, other])
    const lines = await linesOf(text, paths)
    const listed = this.#first.map(({ place, message, other }, index) => {
      const what = place === '' ? message : `${place}: ${message}`
      const line = lines[2 * index] ?? 1
      return { line, text: `line ${line}: ${what}${other === undefined ? '' : ` line ${lines[2 * index + 1]}`}` }
    })
    const faults = listed.sort((one, another) => one.line - another.line).map(({ text }) => text)
    const more = this.#count - faults.length
    return new BrokenCatalogue(more === 0 ? faults : [...faults, `and ${more} more`])
  }

  #put(fault: CatalogueFault): void {
    this.#count++
    if (!this.#isFull) this.#first.push(fault)
  }

  get #isFull(): boolean {
    return this.#first.length >= MAX_LISTED
  }
}

/** For unknown fields, the path of the first. */
function pathOf(issue: z.core.$ZodIssue | undefined): JsonPath {
  if (issue === undefined) return []
  return issue.code === 'unrecognized_keys' ? [...issue.path, ...issue.keys.slice(0, 1)] : issue.path
}
