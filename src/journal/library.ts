import { read } from '../../schemas/admin.js'
import type { JournalledRequest, SearchedEvent } from '../../schemas/journal.js'
import { eventPattern, requestPattern } from '../../schemas/patterns.js'
import type { Observation } from './observation.js'
import type { GivenPattern } from './pattern.js'
import type { Expectation, Matches } from './search.js'
import type { StreamMessage } from './stream.js'

/** What a member must be like: exactly this, matching an expression, there or absent. */
export type Match<T extends string | number> =
  | T
  | RegExp
  | { readonly matches: string; readonly ignoreCase?: boolean }
  | { readonly absent: boolean }

/** A pattern for entries of this type; all members have to match. Of a list, one value has to. */
export type PatternOf<Shown> = {
  readonly [name in keyof Shown]?: NonNullable<Shown[name]> extends number
    ? Match<number>
    : NonNullable<Shown[name]> extends string | readonly unknown[]
      ? Match<string>
      : Readonly<Record<string, Match<string>>>
}

export interface Searches<Shown> {
  /** Those that match, the newest first; 100 of them without a limit. */
  find(pattern: PatternOf<Shown>, options?: { readonly limit?: number }): Promise<Shown[]>
  count(pattern: PatternOf<Shown>): Promise<number>
  /** Rejects where as many as wanted (at least one) have not come within the time, or more than wanted have. */
  verify(pattern: PatternOf<Shown>, expectation?: Expectation): Promise<Matches<Shown>>
  /** Resolves as soon as as many as wanted have come, and rejects after 2 seconds or the given time. */
  wait(pattern: PatternOf<Shown>, expectation?: Expectation): Promise<Matches<Shown>>
}

/** The journal of requests. */
export interface Requests extends Searches<JournalledRequest> {
  /** The newest first; 100 of them without a limit. */
  list(options?: { readonly limit?: number; readonly before?: number }): Promise<JournalledRequest[]>
  clear(): void
}

/** The events of the transaction log. */
export type Events = Searches<SearchedEvent>

export interface StreamOfServer {
  /** Calls the listener with each message from now on. Returns how to stop. */
  subscribe(listener: (message: StreamMessage) => void): () => void
}

export interface Watchers {
  readonly requests: Requests
  readonly events: Events
  readonly stream: StreamOfServer
}

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
