import type { SearchedEvent } from '../../schemas/journal.js'
import { StatusError } from '../errors/public-error.js'
import { ENVIRONMENTS } from '../ground/environment.js'
import { recorded } from '../ledger/record-look-up.js'
import { ALL_SERVICES } from '../store/chosen-services.js'
import type { WrittenEvent } from '../store/engine.js'
import type { EventRepository } from '../store/event-repository.js'
import { customerOfService, type EventRow, environmentOfService, serviceId } from '../store/tables.js'
import type { Pattern } from './pattern.js'
import type { Entry, Source, Watch } from './search.js'
import { Signal } from './signal.js'

/** Without a customer in the pattern, the logs of this many services are read: a customer in one environment is one. */
const MOST_SERVICES = 500
/** The newest events that are read, of all logs together and of one. */
const MOST_EVENTS = 50_000
const MOST_OF_ONE = 20_000
const PAGE = 500

/** Says what the ledger has written. */
export class EventTap {
  readonly #listeners = new Set<(event: WrittenEvent | undefined) => void>()

  written(event: WrittenEvent): void {
    if (this.#listeners.size > 0) for (const listener of this.#listeners) listener(event)
  }

  /** Events were taken away, or other logs have taken the place of these. */
  replaced(): void {
    for (const listener of this.#listeners) listener(undefined)
  }

  /** Returns how to stop listening. */
  listen(listener: (event: WrittenEvent | undefined) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}

/** An event of the log, as searches show it. */
export class EventEntry implements Entry<SearchedEvent> {
  readonly #shown: SearchedEvent

  constructor(row: EventRow) {
    this.#shown = { ...recorded(row), ...ownerOf(row.service_id) }
  }

  member(name: string): unknown {
    return this.#shown[name as keyof SearchedEvent]
  }

  toJson(): SearchedEvent {
    return this.#shown
  }

  describe(): string {
    const { event, drm, customer, environment, event_id, error_code, time } = this.#shown
    const outcome = error_code === 0 ? event : `${event} ${error_code}`
    return `${outcome} (${drm}) at ${time}, event ${event_id} of customer ${customer}, ${environment}`
  }
}

export function ownerOf(service: number) {
  return { customer: customerOfService(service), environment: environmentOfService(service) }
}

/** The newest events of the logs that a pattern may mean. */
export class EventSource implements Source<EventEntry> {
  readonly kind = 'event'
  readonly #events: EventRepository
  readonly #tap: EventTap

  constructor(events: EventRepository, tap: EventTap) {
    this.#events = events
    this.#tap = tap
  }

  present(pattern: Pattern): AsyncIterable<readonly EventEntry[]> {
    return this.#newestFirst(pattern, new Map())
  }

  watch(pattern: Pattern): Watch<EventEntry> {
    const seen = new Map<number, number>()
    const news = new EventNews(this.#tap, {
      seen,
      events: this.#events,
      services: () => this.#servicesOf(pattern),
      isMeant: service => mayBe(pattern, service),
    })
    return Object.assign(news, { present: this.#newestFirst(pattern, seen) })
  }

  async complete(): Promise<void> {}

  /** All logs merged by time. `seen` gets the newest number of each. */
  async *#newestFirst(pattern: Pattern, seen: Map<number, number>): AsyncGenerator<EventEntry[]> {
    const services = await this.#servicesOf(pattern)
    const most = Math.min(MOST_OF_ONE, Math.floor(MOST_EVENTS / Math.max(1, services.length)))
    const lanes: Lane[] = []
    for (const service of services) {
      const lane = new Lane(this.#events, service, most)
      await lane.fill()
      seen.set(service, lane.newest?.event_id ?? 0)
      lanes.push(lane)
    }
    let page: EventEntry[] = []
    for (let lane = latest(lanes); lane !== undefined; lane = latest(lanes)) {
      page.push(new EventEntry(lane.take()))
      if (lane.newest === undefined) await lane.fill()
      if (page.length < PAGE) continue
      yield page
      page = []
    }
    yield page
  }

  async #servicesOf(pattern: Pattern): Promise<number[]> {
    const customer = pattern.exact('customer')
    if (typeof customer === 'number') {
      const services = ENVIRONMENTS.map(environment => serviceId(customer, environment))
      return services.filter(service => Number.isSafeInteger(service) && mayBe(pattern, service))
    }
    const services = await this.#events.services(ALL_SERVICES, MOST_SERVICES + 1)
    if (services.length > MOST_SERVICES)
      throw new StatusError(
        400,
        `pattern: must name a customer, because more than ${MOST_SERVICES} logs have events`,
        'customer',
      )
    return services.filter(service => mayBe(pattern, service))
  }
}

function mayBe(pattern: Pattern, service: number): boolean {
  const { customer, environment } = ownerOf(service)
  return (
    (pattern.exact('customer') ?? customer) === customer &&
    (pattern.exact('environment') ?? environment) === environment
  )
}

/** One log, the newest event first, a page at a time. */
class Lane {
  #rows: EventRow[] = []
  #next = 0
  #last: number | undefined

  constructor(
    private readonly events: EventRepository,
    private readonly service: number,
    private left: number,
  ) {}

  get newest(): EventRow | undefined {
    return this.#rows[this.#next]
  }

  take(): EventRow {
    const row = this.#rows[this.#next]
    if (row === undefined) throw new Error('nothing is left of the page')
    this.#next += 1
    return row
  }

  async fill(): Promise<void> {
    const limit = Math.min(PAGE, this.left)
    this.#rows = limit === 0 ? [] : await this.events.newest(this.service, limit, this.#last)
    this.#next = 0
    this.left = this.#rows.length < limit ? 0 : this.left - limit
    this.#last = this.#rows.at(-1)?.event_id
  }
}

function latest(lanes: readonly Lane[]): Lane | undefined {
  let found: Lane | undefined
  for (const lane of lanes)
    if (lane.newest !== undefined && (found?.newest === undefined || lane.newest.time > found.newest.time)) found = lane
  return found
}

interface NewsParts {
  /** The newest number of each log that was seen. */
  readonly seen: Map<number, number>
  readonly events: EventRepository
  services(): Promise<number[]>
  isMeant(service: number): boolean
}

/** The events that come from now on: those of this process as they are written, those of others at the last look. */
class EventNews implements Omit<Watch<EventEntry>, 'present'> {
  readonly stop: () => void
  readonly #parts: NewsParts
  readonly #changed = new Signal()
  readonly #written = new Set<number>()
  #isReplaced = false

  constructor(tap: EventTap, parts: NewsParts) {
    this.#parts = parts
    const stopListening = tap.listen(event => {
      if (event === undefined) {
        this.#isReplaced = true
      } else if (parts.isMeant(event.service_id)) this.#written.add(event.service_id)
      else return
      this.#changed.send()
    })
    this.stop = () => {
      stopListening()
      this.#changed.end()
    }
  }

  async next(signal: AbortSignal): Promise<EventEntry[] | 'again' | undefined> {
    if (!(await this.#changed.received(signal))) return undefined
    return this.#isReplaced ? 'again' : await this.#newer([...this.#written])
  }

  async last(): Promise<EventEntry[]> {
    return this.#newer(await this.#parts.services())
  }

  async #newer(services: readonly number[]): Promise<EventEntry[]> {
    const { seen, events } = this.#parts
    const found: EventEntry[] = []
    for (const service of services) {
      this.#written.delete(service)
      for (let isMore = true; isMore && found.length < MOST_EVENTS; ) {
        const rows = await events.following(service, seen.get(service) ?? 0, PAGE)
        found.push(...rows.map(row => new EventEntry(row)))
        seen.set(service, rows.at(-1)?.event_id ?? seen.get(service) ?? 0)
        isMore = rows.length === PAGE
      }
    }
    return found
  }
}
