import { setImmediate as nextTurn } from 'node:timers/promises'
import { StatusError } from '../errors/public-error.js'
import type { EventRepository } from '../store/event-repository.js'
import { type EventRow, serviceId } from '../store/tables.js'
import type { Journal, RecordedRequest } from './journal.js'
import type { Pattern } from './pattern.js'
import { RequestEntry } from './request-entry.js'
import type { Source, Watch } from './search.js'
import { Signal } from './signal.js'

/** Entries that are read in one turn of the event loop. */
const CHUNK = 100
/** The event of a request is looked for among this many of its customer's newest. */
const AMONG = 5000
/** Requests that came and that a slow search has not seen yet. */
const MOST_PENDING = 20_000

/** The requests of the journal, with their events where a search needs them. */
export class RequestSource implements Source<RequestEntry> {
  readonly kind = 'request'
  readonly #journal: Journal
  readonly #events: EventRepository
  /** That of the newest request: all who wait share it, so that its secrets are searched for once. */
  #newest: RequestEntry | undefined

  constructor(journal: Journal, events: EventRepository) {
    this.#journal = journal
    this.#events = events
  }

  present(pattern: Pattern): AsyncIterable<readonly RequestEntry[]> {
    return this.#read(this.#journal.all(), pattern)
  }

  watch(pattern: Pattern): Watch<RequestEntry> {
    const news = new RequestNews(this.#journal, {
      entryOf: request => this.#entryOfNew(request),
      complete: entries => this.#completeFor(pattern, entries),
    })
    // Nothing comes between these two: both are done in one turn.
    return Object.assign(news, { present: this.present(pattern) })
  }

  /** From the newest events of their customers, with one query for each. */
  async complete(entries: readonly RequestEntry[]): Promise<void> {
    const byService = new Map<number, RequestEntry[]>()
    for (const entry of entries) {
      const { customer, environment, drm } = entry.recorded
      // Only requests that are about tokens have both a DRM and an event.
      if (entry.event !== undefined || customer === undefined || environment === undefined || drm === undefined)
        continue
      const service = serviceId(customer, environment)
      byService.set(service, [...(byService.get(service) ?? []), entry])
    }
    for (const [service, some] of byService) {
      const ids = [...new Set(some.map(({ recorded }) => recorded.id))]
      for (let start = 0; start < ids.length; start += CHUNK) {
        const rows = await this.#events.ofRequests(service, ids.slice(start, start + CHUNK), AMONG)
        for (const entry of some) entry.event ??= eventOf(entry.recorded, rows)
      }
    }
  }

  async *#read(all: readonly RecordedRequest[], pattern: Pattern) {
    for (let start = 0; start < all.length; start += CHUNK) {
      if (start > 0) await nextTurn()
      const entries = all.slice(start, start + CHUNK).map(recorded => new RequestEntry(recorded))
      yield await this.#completeFor(pattern, entries)
    }
  }

  #entryOfNew(request: RecordedRequest): RequestEntry {
    if (this.#newest?.recorded !== request) this.#newest = new RequestEntry(request)
    return this.#newest
  }

  async #completeFor(pattern: Pattern, entries: RequestEntry[]): Promise<RequestEntry[]> {
    if (pattern.names('tokenId') || pattern.names('eventId')) await this.complete(entries)
    return entries
  }
}

/** Callers may choose ids, and choose one twice: the outcome has to be the same, and the newest event is meant. */
function eventOf(request: RecordedRequest, rows: readonly EventRow[]): RequestEntry['event'] {
  const outcome = request.errorCode ?? 0
  const row = rows.find(
    ({ request_id, error_code, time }) => request_id === request.id && error_code === outcome && time <= request.time,
  )
  return row && { eventId: row.event_id, tokenId: row.token_id ?? undefined }
}

interface NewsParts {
  entryOf(request: RecordedRequest): RequestEntry
  /** Adds what the pattern needs beside. */
  complete(entries: RequestEntry[]): Promise<RequestEntry[]>
}

/** The requests that come from now on. */
class RequestNews implements Omit<Watch<RequestEntry>, 'present'> {
  readonly stop: () => void
  readonly #complete: NewsParts['complete']
  readonly #changed = new Signal()
  readonly #pending: RequestEntry[] = []
  #isCleared = false

  constructor(journal: Journal, { entryOf, complete }: NewsParts) {
    this.#complete = complete
    const stopListening = journal.listen(request => {
      if (request === undefined) {
        this.#isCleared = true
      } else this.#pending.push(entryOf(request))
      this.#changed.send()
    })
    this.stop = () => {
      stopListening()
      this.#changed.end()
    }
  }

  async next(signal: AbortSignal): Promise<RequestEntry[] | 'again' | undefined> {
    if (!(await this.#changed.received(signal))) return undefined
    // With those that are answered in the same turn.
    await nextTurn()
    return this.#isCleared ? 'again' : await this.last()
  }

  async last(): Promise<RequestEntry[]> {
    if (this.#pending.length > MOST_PENDING)
      throw new StatusError(503, 'More requests came than could be compared with the pattern')
    return this.#complete(this.#pending.splice(0))
  }
}
