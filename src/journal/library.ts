import type { z } from 'zod'
import { read } from '../../schemas/admin.js'
import type { JournalledRequest, SearchedEvent } from '../../schemas/journal.js'
import {
  eventPattern,
  eventVerification,
  eventWait,
  libraryPage,
  requestPattern,
  requestVerification,
  requestWait,
  type Times,
} from '../../schemas/patterns.js'
import type { Observation } from './observation.js'
import type { GivenPattern } from './pattern.js'
import type { Expectation, Matches, Searches, Watchers } from './watchers.js'

const PAGE = 100

/** The same searches as over HTTP, with the pleasant forms of a program. */
export function watchersOf(observation: Observation): Watchers {
  const { requests, events } = {
    requests: searchesOf<JournalledRequest>(() => observation.requests, REQUESTS),
    events: searchesOf<SearchedEvent>(() => observation.events, EVENTS),
  }
  return {
    requests: {
      ...requests,
      list: async ({ limit = PAGE, before } = {}) => {
        const page = read(libraryPage, { limit, before })
        return (await observation.list({}, page)).requests
      },
      clear: () => observation.clear(),
    },
    events,
    stream: { subscribe: message => observation.stream.open({ message }) },
  }
}

interface SearchSchemas {
  readonly pattern: z.ZodType
  readonly verification: z.ZodType<Wanted>
  readonly wait: z.ZodType<Wanted>
}

/** As the schemas below have it. */
interface Wanted {
  readonly pattern: object
  readonly times?: Times
  readonly withinMs: number
}

const REQUESTS: SearchSchemas = { pattern: requestPattern, verification: requestVerification, wait: requestWait }
const EVENTS: SearchSchemas = { pattern: eventPattern, verification: eventVerification, wait: eventWait }

interface Searched<Shown> {
  find(pattern: GivenPattern, limit: number): Promise<Shown[]>
  count(pattern: GivenPattern): Promise<number>
  verify(pattern: GivenPattern, expectation: Expectation): Promise<Matches<Shown>>
  wait(pattern: GivenPattern, expectation: Expectation): Promise<Matches<Shown>>
}

/** Everything is read as over HTTP: a name that is misspelt must not make a verification hold. */
function searchesOf<Shown>(searched: () => Searched<Shown>, schemas: SearchSchemas): Searches<Shown> {
  const patternOf = (pattern: object) => read(schemas.pattern, plain(pattern)) as GivenPattern // what a pattern's schema gives
  const wanted = (schema: SearchSchemas['wait'], pattern: object, { signal, ...given }: Expectation = {}) => {
    const { pattern: understood, times, withinMs } = read(schema, { pattern: plain(pattern), ...given })
    return [understood as GivenPattern, { times, withinMs, signal }] as const // as above
  }
  return {
    find: async (pattern, { limit = PAGE } = {}) =>
      searched().find(patternOf(pattern), read(libraryPage, { limit }).limit),
    count: async pattern => searched().count(patternOf(pattern)),
    verify: async (pattern, expectation) => searched().verify(...wanted(schemas.verification, pattern, expectation)),
    wait: async (pattern, expectation) => searched().wait(...wanted(schemas.wait, pattern, expectation)),
  }
}

/** With every RegExp in its JSON form. */
function plain(pattern: object): object {
  return Object.fromEntries(Object.entries(pattern).map(([name, value]) => [name, plainValue(value)]))
}

function plainValue(value: unknown): unknown {
  if (value instanceof RegExp) return { matches: value.source, ...(value.ignoreCase && { ignoreCase: true }) }
  return typeof value === 'object' && value !== null ? plain(value) : value
}
