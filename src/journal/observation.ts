import type { JournalledRequest, SearchedEvent } from '../../schemas/journal.js'
import type { RequestPattern } from '../../schemas/patterns.js'
import { StatusError } from '../errors/public-error.js'
import type { Clock } from '../ground/clock.js'
import type { Randomness } from '../ground/randomness.js'
import type { EventRepository } from '../store/event-repository.js'
import { type EventEntry, EventSource, EventTap } from './event-source.js'
import { Journal } from './journal.js'
import { Pattern } from './pattern.js'
import { RequestEntry } from './request-entry.js'
import { RequestSource } from './request-source.js'
import { Search } from './search.js'
import { Stream } from './stream.js'

export interface ObservationParts {
  /** How many requests the journal holds; 0: none. */
  readonly size: number
  readonly events: EventRepository
  readonly clock: Clock
  readonly random: Randomness
}

/** What others may see of a server's work: the journal, searches in it and in the transaction log, and the stream. */
export class Observation {
  readonly journal: Journal
  readonly tap = new EventTap()
  readonly events: Search<EventEntry, SearchedEvent>
  readonly stream: Stream
  readonly #requests: Search<RequestEntry, JournalledRequest>
  readonly #source: RequestSource

  constructor({ size, events, clock, random }: ObservationParts) {
    this.journal = new Journal(size, clock.now)
    this.#source = new RequestSource(this.journal, events)
    this.#requests = new Search(this.#source, clock)
    this.events = new Search(new EventSource(events, this.tap), clock)
    this.stream = new Stream({ journal: this.journal, tap: this.tap, clock, random })
  }

  get requests(): Search<RequestEntry, JournalledRequest> {
    this.#requireJournal()
    return this.#requests
  }

  /** A page, the newest first. */
  async list(pattern: RequestPattern, { limit, before }: { limit: number; before?: number | undefined }) {
    this.#requireJournal()
    const wanted = new Pattern(pattern)
    const found: RequestEntry[] = []
    // One more shows whether there is another page.
    for await (const entries of this.#source.present(wanted)) {
      const older = before === undefined ? entries : entries.filter(({ recorded }) => recorded.number < before)
      found.push(...wanted.select(older))
      if (found.length > limit) break
    }
    const page = found.slice(0, limit)
    await this.#source.complete(page)
    const next = found.length > limit ? (page.at(-1)?.recorded.number ?? null) : null
    return { requests: page.map(entry => entry.toJson()), next }
  }

  /** The newest request with this id. */
  async show(id: string): Promise<JournalledRequest> {
    this.#requireJournal()
    const recorded = this.journal.all().find(request => request.id === id)
    if (recorded === undefined) throw new StatusError(404, 'The journal has no request with this id', 'id')
    const entry = new RequestEntry(recorded)
    await this.#source.complete([entry])
    return entry.toJson()
  }

  clear(): void {
    this.#requireJournal()
    this.journal.clear()
  }

  /** Ends those who wait and those who read. */
  close(): void {
    this.#requests.close()
    this.events.close()
    this.stream.close()
  }

  #requireJournal(): void {
    if (this.journal.size === 0) throw new StatusError(404, 'There is no journal: JOURNAL_SIZE is 0')
  }
}
