import type { Now } from '../ground/clock.js'
import type { Environment } from '../ground/environment.js'

/** One request as it was recorded: references to what was there anyway, and nothing masked yet. */
export interface RecordedRequest {
  readonly id: string
  readonly ms: number
  readonly method: string
  readonly url: string
  readonly route: string | undefined
  /** The body as it was parsed. The query is not held beside the URL: the garbage collector would copy every value. */
  readonly body: unknown
  readonly host: string | undefined
  readonly address: string
  readonly userAgent: string | undefined
  /** Headers that carry secrets: never shown, only searched for in what is. */
  readonly secretHeaders: readonly (string | readonly string[] | undefined)[] | undefined
  readonly customer: number | undefined
  readonly environment: Environment | undefined
  readonly drm: string | undefined
  /** The headers of the answer that name the ignored and the assumed parameters. */
  readonly ignored: string | undefined
  readonly assumed: string | undefined
  readonly status: number
  readonly errorCode: number | undefined
  readonly message: string | undefined
  readonly parameter: string | undefined
  /** The id of the rule that injected a fault. */
  readonly fault: string | undefined
  /** Roughly the bytes that it holds. */
  readonly size: number
  /** Counts up from 1 in the order in which requests were answered; the journal sets it. */
  number: number
  /** Milliseconds since 1970, when it was answered, by the clock of its customer; the journal sets it. */
  time: number
}

/** Called with each request that is recorded, and with `undefined` when requests were taken away. */
export type JournalListener = (request: RecordedRequest | undefined) => void

/** The requests of a journal may hold this many bytes together, by a cautious estimate. */
export const MOST_BYTES = 8 * 1024 * 1024

/** What a request holds beside its own texts: the object, its keys, what was parsed. */
export const OBJECT_BYTES = 600

/** The newest requests, bounded in number and in bytes: a ring in memory. */
export class Journal {
  readonly #slots: (RecordedRequest | undefined)[] = []
  readonly #listeners = new Set<JournalListener>()
  #last = 0
  /** The number of the oldest request that is still there. */
  #oldest = 1
  #bytes = 0

  constructor(
    /** How many requests it holds; with 0 none, but listeners still hear of them. */
    readonly size: number,
    private readonly now: Now,
    private readonly mostBytes = MOST_BYTES,
  ) {}

  /** Whether a request is worth recording. */
  get isListening(): boolean {
    return this.size > 0 || this.#listeners.size > 0
  }

  /** How many bytes its requests hold, roughly. */
  get bytes(): number {
    return this.#bytes
  }

  /** How many it holds, with those that were taken away among them. */
  get length(): number {
    return this.#last - this.#oldest + 1
  }

  add(request: RecordedRequest): void {
    this.#last += 1
    request.number = this.#last
    request.time = this.now(request.customer)
    if (this.size === 0) this.#oldest = this.#last + 1
    else this.#store(request)
    for (const listener of this.#listeners) listener(request)
  }

  /** The newest first. */
  all(): RecordedRequest[] {
    const all: RecordedRequest[] = []
    for (let number = this.#last; number >= this.#oldest; number -= 1) {
      const request = this.#slots[number % this.size]
      if (request !== undefined) all.push(request)
    }
    return all
  }

  /** Forgets all requests, or those of one customer. */
  clear(customer?: number): void {
    if (customer === undefined) {
      this.#slots.length = 0
      this.#bytes = 0
      this.#oldest = this.#last + 1
    } else
      for (const { number, size, ...request } of this.all()) {
        if (request.customer !== customer) continue
        this.#slots[number % this.size] = undefined
        this.#bytes -= size
      }
    for (const listener of this.#listeners) listener(undefined)
  }

  /** Returns how to stop listening. */
  listen(listener: JournalListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #store(request: RecordedRequest): void {
    // Requests are numbered without a gap, so the slot is that of the oldest one.
    if (this.length > this.size) this.#forgetOldest()
    this.#slots[request.number % this.size] = request
    this.#bytes += request.size
    while (this.#bytes > this.mostBytes && this.length > 1) this.#forgetOldest()
  }

  #forgetOldest(): void {
    const place = this.#oldest % this.size
    this.#bytes -= this.#slots[place]?.size ?? 0
    this.#slots[place] = undefined
    this.#oldest += 1
  }
}
