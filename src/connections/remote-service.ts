import type { ConnectionOptions, SecureContext } from 'node:tls'
import { type Dispatcher, Pool } from 'undici'
import type { Clock } from '../ground/clock.js'
import { RequestFailure } from './request-failure.js'
import { type Party, RequestQueue, type RequestQueueParts } from './request-queue.js'
import { AnswerStream, type ReceivedAnswer, type StreamedAnswer, WholeAnswer } from './sent-request.js'
import { sharedLookup } from './shared-lookup.js'

export interface RemoteServiceParts extends RequestQueueParts {
  /** Host, and what stands before every path there. */
  readonly url: URL
  /** Milliseconds for all of a request: queue, connection, TLS, and the answer to its last byte. */
  readonly timeout: number
  /** Milliseconds, TLS included. */
  readonly connectTimeout: number
  /** Bytes of an answer's body; without it there is no limit. */
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
  /** Names and values in turn. */
  readonly headers: string[]
  readonly body?: string | Buffer
}

/** Whose request it is, and when nobody waits for its answer any more. */
export interface Caller {
  readonly party?: Party | undefined
  readonly gone?: AbortSignal | undefined
}

/**
 * Another service. A POST to it is sent at most once, within its time, over HTTP/1.1 with one request at a time on
 * each connection. What comes of it is an answer or a RequestFailure, and never an error.
 */
export class RemoteService {
  readonly queue: RequestQueue
  readonly #parts: RemoteServiceParts
  readonly #basePath: string
  readonly #clock: Clock
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
      // A kept connection may just have been closed over there, and looking up twice does no harm.
      return outcome.kind === 'connection lost' ? await this.send(request, deadline) : outcome
    } finally {
      this.queue.leave(party)
    }
  }

  /** For who has a place already. `deadline` and `latestStart` are moments of the clock's uptime. */
  send(request: ServiceRequest, deadline: number, latestStart?: number): Promise<ReceivedAnswer | RequestFailure> {
    const clock = this.#clock
    const time = Math.ceil(deadline - clock.uptime())
    if (time <= 0) return Promise.resolve(new RequestFailure('not reached in time'))
    return new Promise(resolve => {
      this.#dispatch(request, new WholeAnswer(resolve, { time, latestStart, clock }))
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

  /** New connections for what is sent from now on; the former ones close behind what is in flight. */
  reconnect(tls = this.#parts.tls): void {
    const former = this.#pool
    this.#pool = connect({ ...this.#parts, ...(tls && { tls }) })
    void former.close()
  }

  /** What is in flight, or asked later, fails. */
  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  #dispatch(request: ServiceRequest, handler: Dispatcher.DispatchHandler): void {
    this.#pool.dispatch({ ...request, path: this.#basePath + request.path }, handler)
  }
}

function connect({ url, connections, connectTimeout, largestAnswer, bodyTimeout = 0, tls }: RemoteServiceParts): Pool {
  return new Pool(url.origin, {
    connections,
    connectTimeout,
    // Else NODE_TLS_REJECT_UNAUTHORIZED could say otherwise.
    connect: { ...tls, rejectUnauthorized: true, lookup: sharedLookup(tls?.lookup) },
    pipelining: 1,
    allowH2: false,
    ...(largestAnswer !== undefined && { maxResponseSize: largestAnswer }),
    // Every request has one time for all of it.
    headersTimeout: 0,
    bodyTimeout,
  })
}
