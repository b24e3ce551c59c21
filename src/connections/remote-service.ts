import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ConnectionOptions, SecureContext } from 'node:tls'
import { type Dispatcher, Pool } from 'undici'
import type { Clock } from '../ground/clock.js'
import { Turn } from '../ground/turn.js'
import { RequestFailure } from './request-failure.js'
import { type Party, RequestQueue, type RequestQueueParts } from './request-queue.js'
import { AnswerStream, type ReceivedAnswer, type StreamedAnswer, WholeAnswer } from './sent-request.js'
import { sharedLookup } from './shared-lookup.js'

export interface RemoteServiceParts extends RequestQueueParts {
  /** The origin, and a prefix for every path. */
  readonly url: URL
  /** Milliseconds for the whole request: queue, connection, TLS, and the answer to its last byte. */
  readonly timeout: number
  /** Milliseconds, TLS included. */
  readonly connectTimeout: number
  /** Bytes of an answer's body. Default: no limit. */
  readonly largestAnswer?: number
  /** Milliseconds between two pieces of a streamed body. */
  readonly bodyTimeout?: number
  readonly tls?: TlsOptions
}

export type TlsOptions = Pick<ConnectionOptions, 'ca' | 'minVersion' | 'lookup'> & {
  readonly secureContext?: SecureContext
  readonly maxCachedSessions?: number
}

export interface ServiceRequest {
  readonly method: 'GET' | 'POST'
  /** Below the service's URL, with its query. */
  readonly path: string
  /** Names and values alternate. */
  readonly headers: string[]
  readonly body?: string | Buffer
}

/** The party of the request, and the signal that the caller no longer waits for the answer. */
export interface Caller {
  readonly party?: Party | undefined
  readonly gone?: AbortSignal | undefined
}

/**
 * A client of another service. It sends a POST at most once, within its timeout, over HTTP/1.1 with one request at a
 * time on each connection. The outcome is an answer or a RequestFailure; it never throws.
 */
export class RemoteService {
  readonly queue: RequestQueue
  readonly #parts: RemoteServiceParts
  readonly #basePath: string
  readonly #clock: Clock
  /** Delivers the outcomes of one turn of the event loop together. */
  readonly #outcomes = new Turn<() => void>(deliver => deliver())
  #pool: Pool

  constructor(parts: RemoteServiceParts) {
    this.#parts = parts
    this.#basePath = parts.url.pathname.replace(/\/+$/, '')
    this.#clock = parts.clock
    this.queue = new RequestQueue(parts)
    this.#pool = connect(parts)
  }

  /** Queues, sends, and waits for the whole answer. */
  async ask(request: ServiceRequest, { party, gone }: Caller = {}): Promise<ReceivedAnswer | RequestFailure> {
    const { timeout } = this.#parts
    const deadline = this.#clock.uptime() + timeout
    const failure = await this.queue.enter(timeout, party, gone)
    if (failure !== undefined) return failure
    try {
      const outcome = await this.send(request, deadline)
      if (request.method === 'POST' || !(outcome instanceof RequestFailure)) return outcome
      // The service may just have closed a reused connection, and a GET may be repeated.
      return outcome.kind === 'connection lost' ? await this.send(request, deadline) : outcome
    } finally {
      this.queue.leave(party)
    }
  }

  /** For a caller that has a place in the queue already. `deadline` and `latestStart` are in uptime. */
  send(request: ServiceRequest, deadline: number, latestStart?: number): Promise<ReceivedAnswer | RequestFailure> {
    const clock = this.#clock
    const time = Math.ceil(deadline - clock.uptime())
    if (time <= 0) return Promise.resolve(new RequestFailure('not reached in time'))
    return new Promise(resolve => {
      const settle = (outcome: ReceivedAnswer | RequestFailure) => this.#outcomes.add(() => resolve(outcome))
      this.#dispatch(request, new WholeAnswer(settle, { time, latestStart, clock }))
    })
  }

  /** Queues, sends, and hands the answer over when its body begins. The place is free again when the body ends. */
  async stream(request: ServiceRequest, { party, gone }: Caller = {}): Promise<StreamedAnswer | RequestFailure> {
    const { timeout } = this.#parts
    const clock = this.#clock
    const deadline = clock.uptime() + timeout
    const failure = await this.queue.enter(timeout, party, gone)
    if (failure !== undefined) return failure
    const outcome = await new Promise<StreamedAnswer | RequestFailure>(resolve => {
      const stream = new AnswerStream(resolve, { time: Math.max(1, deadline - clock.uptime()), clock })
      const leave = () => stream.giveUp(new RequestFailure('caller gone'))
      if (gone?.aborted === true) return leave()
      gone?.addEventListener('abort', leave, { once: true })
      this.#dispatch(request, stream)
    })
    if (outcome instanceof RequestFailure || outcome.body.closed) this.queue.leave(party)
    else outcome.body.once('close', () => this.queue.leave(party))
    return outcome
  }

  /** Opens new connections for later requests; the former ones close after their requests in flight. */
  reconnect(tls = this.#parts.tls): void {
    const former = this.#pool
    this.#pool = connect({ ...this.#parts, ...(tls && { tls }) })
    void former.close()
  }

  /** Requests in flight and later ones fail. */
  async close(): Promise<void> {
    await this.#pool.destroy()
    await nextTurn() // callers hear of it before this resolves
  }

  #dispatch(request: ServiceRequest, handler: Dispatcher.DispatchHandler): void {
    this.#pool.dispatch({ ...request, path: this.#basePath + request.path }, handler)
  }
}

function connect({ url, connections, connectTimeout, largestAnswer, bodyTimeout = 0, tls }: RemoteServiceParts): Pool {
  return new Pool(url.origin, {
    connections,
    connectTimeout,
    // Set explicitly: NODE_TLS_REJECT_UNAUTHORIZED changes the default.
    connect: { ...tls, rejectUnauthorized: true, lookup: sharedLookup(tls?.lookup) },
    pipelining: 1,
    allowH2: false,
    ...(largestAnswer !== undefined && { maxResponseSize: largestAnswer }),
    // `timeout` covers the whole request.
    headersTimeout: 0,
    bodyTimeout,
  })
}
