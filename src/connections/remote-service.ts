import type { ConnectionOptions, SecureContext } from 'node:tls'
import { type Dispatcher, Pool } from 'undici'
import { RequestFailure } from './request-failure.js'
import { type Party, RequestQueue } from './request-queue.js'
import { AnswerStream, type ReceivedAnswer, type StreamedAnswer, WholeAnswer } from './sent-request.js'
import { sharedLookup } from './shared-lookup.js'

export interface RemoteServiceParts {
  /** Host, and what stands before every path there. */
  readonly url: URL
  /** Requests in flight at once, each on a connection of its own. */
  readonly connections: number
  /** Requests that wait for a connection. */
  readonly queue: number
  /** The most connections that one party may have; all of them where it is not given. */
  readonly mostOfOneParty?: number
  /** Milliseconds for all of a request: queue, connection, TLS, and the answer to its last byte. */
  readonly timeout: number
  /** Milliseconds, TLS included. */
  readonly connectTimeout: number
  /** Bytes of an answer's body; without it there is no limit. */
  readonly largestAnswer?: number
  /** Milliseconds between two pieces of a streamed body. */
  readonly bodyTimeout?: number
  readonly tls?: TlsOptions
  /** Steady milliseconds. */
  readonly uptime?: () => number
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
  readonly #uptime: () => number
  #pool: Pool

  constructor(parts: RemoteServiceParts) {
    this.#parts = parts
    this.#basePath = parts.url.pathname.replace(/\/+$/, '')
    this.#uptime = parts.uptime ?? (() => performance.now())
    this.queue = new RequestQueue(parts.connections, parts.queue, parts.mostOfOneParty)
    this.#pool = connect(parts)
  }

  /** Queues, sends, and waits for the whole answer. */
  async ask(request: ServiceRequest, { party, gone }: Caller = {}): Promise<ReceivedAnswer | RequestFailure> {
    const { timeout } = this.#parts
    const deadline = this.#uptime() + timeout
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

  /** For who has a place already. `deadline` and `latestStart` are moments of `uptime`. */
  send(request: ServiceRequest, deadline: number, latestStart?: number): Promise<ReceivedAnswer | RequestFailure> {
    const uptime = this.#uptime
    const time = Math.ceil(deadline - uptime())
    if (time <= 0) return Promise.resolve(new RequestFailure('not reached in time'))
    return new Promise(resolve => {
      this.#dispatch(request, new WholeAnswer(resolve, { time, latestStart, uptime }))
    })
  }

  /** Queues, sends, and hands the answer over when its body begins. The place is free again when the body ends. */
  async stream(request: ServiceRequest, { party, gone }: Caller = {}): Promise<StreamedAnswer | RequestFailure> {
    const { timeout } = this.#parts
    const uptime = this.#uptime
    const deadline = uptime() + timeout
    const failure = await this.queue.enter(timeout, party, gone)
    if (failure !== undefined) return failure
    const outcome = await new Promise<StreamedAnswer | RequestFailure>(resolve => {
      const stream = new AnswerStream(resolve, { time: Math.max(1, deadline - uptime()), uptime })
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
