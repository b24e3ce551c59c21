import { setImmediate as pause } from 'node:timers/promises'
import * as z from 'zod'
import { catalogueOutline } from '../../../schemas/catalogue.js'
import { type Content, type EntryIssue, isIssues, readEntry } from '../../../schemas/content-entry.js'
import { customerCookie } from '../../../schemas/entitlement.js'
import { JsonTextError, parseLargeJson } from '../../ground/json-text.js'
import { BrokenCatalogue, CatalogueFaults } from './faults.js'
import { CataloguePolicies } from './policies.js'
import { syntaxFault } from './syntax.js'

export interface Catalogue {
  /** By contentID in lower case. */
  readonly contents: ReadonlyMap<string, Content>
  /** The number of named policies. */
  readonly policies: number
}

/** Contents between two pauses: other requests wait about a millisecond. */
const AT_A_TIME = 200

/** The catalogue in a text; throws a BrokenCatalogue. It reads in slices, so that the server can go on answering. */
export async function readCatalogue(text: string): Promise<Catalogue> {
  const faults = new CatalogueFaults()
  const file = await parsed(text)
  const { error } = catalogueOutline.safeParse(file)
  if (error !== undefined) faults.add([], error.issues)
  // An unknown top-level field does not hide the faults of the contents.
  const outline = catalogueOutline.loose().safeParse(file)
  if (!outline.success) throw await faults.asError(text)
  const policies = new CataloguePolicies(outline.data.policies ?? {}, faults)
  const readOne: ReadOne = given => readEntry(given, licence => policies.licence(licence))
  const contents = new Map<string, Content>()
  for (const [index, given] of outline.data.contents.entries()) {
    if (index % AT_A_TIME === 0) await pause()
    const read = await readInSlices(given, readOne)
    if (isIssues(read)) faults.add(['contents', index], read)
    else if (contents.has(read.contentID))
      faults.addRepeated(index, () => placeOf(read.contentID, outline.data.contents))
    else contents.set(read.contentID, read)
  }
  if (!faults.areNone) throw await faults.asError(text)
  return { contents, policies: policies.count }
}

type ReadOne = (given: unknown) => Content | readonly EntryIssue[]

async function readInSlices(given: unknown, readOne: ReadOne): Promise<Content | readonly EntryIssue[]> {
  if (!hasManyViewers(given)) return readOne(given)
  const { rest, viewers } = await viewersApart(given)
  const read = readOne(rest)
  return isIssues(read) || viewers === undefined ? read : { ...read, viewers }
}

/** Longer viewer lists are read in slices, too. */
const VIEWERS_AT_A_TIME = 20_000

/**
 * The viewers of an entry with a long list, and the entry without them. When a slice has invalid viewers, the entry
 * has that slice, and no viewers are returned: reading the entry then reports the fault.
 */
async function viewersApart(entry: ManyViewers): Promise<{ rest: unknown; viewers?: ReadonlySet<string> }> {
  const { viewers } = entry
  const read = new Set<string>()
  for (let start = 0; start < viewers.length; start += VIEWERS_AT_A_TIME) {
    await pause()
    const slice: unknown[] = viewers.slice(start, start + VIEWERS_AT_A_TIME)
    const { data } = viewersInSlice.safeParse(slice)
    if (data === undefined) return { rest: { ...entry, viewers: slice } }
    for (const viewer of data) read.add(viewer)
  }
  return { rest: { ...entry, viewers: [] }, viewers: read }
}

interface ManyViewers {
  readonly viewers: readonly unknown[]
}

function hasManyViewers(entry: unknown): entry is ManyViewers {
  const { viewers }: { viewers?: unknown } = Object(entry) // of any shape
  return Array.isArray(viewers) && viewers.length > VIEWERS_AT_A_TIME
}

const viewersInSlice = z.compile(z.array(customerCookie))

/** The index of a content that was read before. */
function placeOf(contentID: string, given: readonly unknown[]): number {
  return given.findIndex(
    one => typeof one === 'object' && one !== null && 'contentID' in one && isSame(one.contentID, contentID),
  )
}

function isSame(given: unknown, contentID: string): boolean {
  return typeof given === 'string' && given.toLowerCase() === contentID
}

async function parsed(text: string): Promise<unknown> {
  try {
    return await parseLargeJson(text, pause)
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error
    const { fault, position } = error
    throw new BrokenCatalogue([position === undefined ? syntaxFault(text) : `line ${lineAt(text, position)}: ${fault}`])
  }
}

function lineAt(text: string, position: number): number {
  let line = 1
  for (let end = text.indexOf('\n'); end !== -1 && end < position; end = text.indexOf('\n', end + 1)) line++
  return line
}
