import { read } from '../../schemas/admin.js'
import type { JournalledRequest, SearchedEvent } from '../../schemas/journal.js'
import { eventPattern, requestPattern } from '../../schemas/patterns.js'
import type { Observation } from './observation.js'
import type { GivenPattern } from './pattern.js'
import type { PatternOf, Watchers } from './watchers.js'

const PAGE = 100

/** The same searches as over HTTP, with the pleasant forms of a program. */
export function watchersOf(observation: Observation): Watchers {
  const request = (pattern: PatternOf<JournalledRequest>) => read(requestPattern, plain(pattern)) as GivenPattern
  const event = (pattern: PatternOf<SearchedEvent>) => read(eventPattern, plain(pattern)) as GivenPattern
  return {
    requests: {
      list: async ({ limit = PAGE, before } = {}) => (await observation.list({}, { limit, before })).requests,
      find: async (pattern, { limit = PAGE } = {}) => observation.requests.find(request(pattern), limit),
      count: async pattern => observation.requests.count(request(pattern)),
      verify: async (pattern, expectation) => observation.requests.verify(request(pattern), expectation),
      wait: async (pattern, expectation) => observation.requests.wait(request(pattern), expectation),
      clear: () => observation.clear(),
    },
    events: {
      find: async (pattern, { limit = PAGE } = {}) => observation.events.find(event(pattern), limit),
      count: async pattern => observation.events.count(event(pattern)),
      verify: async (pattern, expectation) => observation.events.verify(event(pattern), expectation),
      wait: async (pattern, expectation) => observation.events.wait(event(pattern), expectation),
    },
    stream: { subscribe: message => observation.stream.open({ message }) },
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
