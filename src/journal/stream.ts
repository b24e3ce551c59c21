import { StatusError } from '../errors/public-error.js'
import type { Clock, Timer } from '../ground/clock.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'
import { writtenEvent } from '../ledger/record-look-up.js'
import type { WrittenEvent } from '../store/engine.js'
import { type EventTap, ownerOf } from './event-source.js'
import type { Journal, RecordedRequest } from './journal.js'
import { RequestEntry } from './request-entry.js'
import type { StreamMessage, StreamTopic } from './watchers.js'

export interface StreamReader {
  /** `json` is its data, which is written once for all readers. */
  message(message: StreamMessage, json: string): void
  /** Nothing has happened for a while. */
  beat?(): void
  /** The server is shutting down. */
  end?(): void
}

export interface StreamParts {
  readonly journal: Journal
  readonly tap: EventTap
  readonly clock: Clock
  readonly random: Randomness
}

const MOST_READERS = 100
const MOST_REMEMBERED = 500
/** Characters of their JSON: less than a reader may leave unread, so that none is dropped for what it has missed. */
const MOST_CHARACTERS = 512 * 1024
/** Messages are remembered this long after the last reader has left: a browser reconnects within seconds. */
const MEMORY = 60_000
const HEARTBEAT = 15_000
/** Requests of one turn of the event loop; of more than these, the newest are sent. */
const MOST_PENDING = 2000

/** What happens, to those who listen. Without them it does nothing: it then listens to nothing itself. */
export class Stream {
  readonly #parts: StreamParts
  readonly #readers = new Set<StreamReader>()
  /** Of this process, so that an id of a former one is recognized. */
  readonly #name: string
  #last = 0
  #remembered: Written[] = []
  /** Of what is remembered. */
  #characters = 0
  #pending: (() => [StreamTopic, object])[] = []
  #stop: (() => void) | undefined
  #heartbeat: Timer | undefined
  #forgetting: Timer | undefined
  #isClosed = false

  constructor(parts: StreamParts) {
    this.#parts = parts
    this.#name = randomBytes(parts.random, 6).toString('hex')
  }

  /** Sends the reader what comes from now on, or behind the message with this id. Returns how to leave. */
  open(reader: StreamReader, lastId?: string): () => void {
    if (this.#isClosed) throw new StatusError(503, 'The server is shutting down')
    if (this.#readers.size >= MOST_READERS) throw new StatusError(503, `The stream has ${MOST_READERS} readers already`)
    this.#start()
    this.#flush()
    this.#readers.add(reader)
    if (lastId !== undefined) this.#catchUp(reader, lastId)
    return () => {
      if (this.#readers.delete(reader) && this.#readers.size === 0) this.#rest()
    }
  }

  get readers(): number {
    return this.#readers.size
  }

  /** For what is neither a request nor an event. */
  publish(topic: StreamTopic, data: () => object): void {
    if (this.#stop === undefined) return
    if (this.#pending.length === 0) setImmediate(() => this.#flush())
    this.#pending.push(() => [topic, data()])
    if (this.#pending.length > MOST_PENDING) this.#pending.shift()
  }

  close(): void {
    this.#isClosed = true
    for (const reader of this.#readers) reader.end?.()
    this.#readers.clear()
    this.#forget()
  }

  #start(): void {
    this.#forgetting?.cancel()
    this.#forgetting = undefined
    const { journal, tap, clock } = this.#parts
    this.#heartbeat ??= clock.every(HEARTBEAT, () => {
      for (const reader of this.#readers) reader.beat?.()
    })
    if (this.#stop !== undefined) return
    const stopRequests = journal.listen(request => {
      if (request !== undefined) this.publish('request', () => shownRequest(request))
    })
    const stopEvents = tap.listen(event => {
      if (event !== undefined) this.publish('event', () => shownEvent(event))
    })
    this.#stop = () => {
      stopRequests()
      stopEvents()
    }
  }

  /** In the next turn, behind the answer of the request that it is about. */
  #flush(): void {
    for (const make of this.#pending.splice(0)) {
      const [topic, data] = make()
      this.#last += 1
      const message = { id: `${this.#name}-${this.#last}`, topic, data }
      const json = JSON.stringify(data)
      this.#remember({ message, json })
      for (const reader of this.#readers) reader.message(message, json)
    }
  }

  #remember(written: Written): void {
    this.#remembered.push(written)
    this.#characters += written.json.length
    while (this.#remembered.length > MOST_REMEMBERED || this.#characters > MOST_CHARACTERS)
      this.#characters -= this.#remembered.shift()?.json.length ?? 0
  }

  #catchUp(reader: StreamReader, lastId: string): void {
    const place = this.#remembered.findIndex(({ message }) => message.id === lastId)
    const newestId = `${this.#name}-${this.#last}`
    if (place === -1) {
      const data = { behind: lastId }
      if (lastId !== newestId) reader.message({ id: newestId, topic: 'gap', data }, JSON.stringify(data))
    } else for (const { message, json } of this.#remembered.slice(place + 1)) reader.message(message, json)
  }

  #rest(): void {
    this.#heartbeat?.cancel()
    this.#heartbeat = undefined
    this.#forgetting = this.#parts.clock.after(MEMORY, () => this.#forget())
  }

  #forget(): void {
    this.#forgetting?.cancel()
    this.#heartbeat?.cancel()
    this.#forgetting = undefined
    this.#heartbeat = undefined
    this.#stop?.()
    this.#stop = undefined
    this.#remembered = []
    this.#characters = 0
    this.#pending = []
  }
}

interface Written {
  readonly message: StreamMessage
  readonly json: string
}

function shownRequest(request: RecordedRequest): object {
  return new RequestEntry(request).toJson()
}

/** Without its number, which only the database knows at this moment. */
function shownEvent(event: WrittenEvent): object {
  return { ...writtenEvent(event), ...ownerOf(event.service_id) }
}
