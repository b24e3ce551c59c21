import type { JournalledRequest, SearchedEvent } from '../../schemas/journal.js'
import type { Times } from '../../schemas/patterns.js'

export interface Expectation {
  readonly times?: Times
  /** Milliseconds. */
  readonly withinMs?: number | undefined
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined
}

export interface Matches<Shown> {
  readonly count: number
  /** The newest of them. */
  readonly matches: readonly Shown[]
}

export type StreamTopic = 'request' | 'event' | 'account' | 'clock' | 'faults'

export interface StreamMessage {
  /** To go on behind it: `Last-Event-ID`. */
  readonly id: string
  /** `gap`: messages behind the one that the reader named are not remembered. */
  readonly topic: StreamTopic | 'gap'
  readonly data: object
}

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
