import type { IncomingHttpHeaders } from 'node:http'
import { stringify } from 'node:querystring'
import { type Dispatcher, errors, Pool } from 'undici'
import { packageVersion } from '../version.js'
import type { Exchange, UpstreamAnswer, UpstreamRequest } from './exchange.js'
import { type FailureKind, UpstreamFailure } from './failure.js'

/** A token and its URL have a few hundred bytes; what is larger is no answer. */
const LARGEST_ANSWER = 65_536
const PATH = '/hms/pr/token'

export interface HttpExchangeParts {
  /** The token host, and what stands before the path there. */
  readonly url: URL
  readonly connections: number
  /** Milliseconds, TLS among it. */
  readonly connectTimeout: number
}

/** Sends token requests to one host, each exactly once, over connections that are kept. */
export class HttpExchange implements Exchange {
  readonly #pool: Pool
  readonly #path: string
  readonly #headers = [
    ...['accept', 'application/json'],
    ...['content-type', 'application/x-www-form-urlencoded'],
    ...['user-agent', `expressplay-token-backend/${packageVersion()}`],
  ]

  constructor({ url, connections, connectTimeout }: HttpExchangeParts) {
    this.#path = url.pathname.replace(/\/+$/, '') + PATH
    this.#pool = new Pool(url.origin, {
      connections,
      connectTimeout,
      // Else NODE_TLS_REJECT_UNAUTHORIZED could say otherwise.
      connect: { rejectUnauthorized: true },
      pipelining: 1,
      allowH2: false,
      maxResponseSize: LARGEST_ANSWER,
      // A request has a time of its own, for all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  send(
    { authenticator, parameters }: UpstreamRequest,
    timeout: number,
    last = Number.POSITIVE_INFINITY,
  ): Promise<UpstreamAnswer> {
    return new Promise((resolve, reject) => {
      const body = stringify({ customerAuthenticator: authenticator, ...parameters })
      const request = { method: 'POST', path: this.#path, headers: this.#headers, body } as const
      this.#pool.dispatch(request, new AnswerReader(resolve, reject, { timeout, last }))
    })
  }

  /** For when nothing is under way. */
  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}

/** Gathers one answer, and knows whether the request may have left. */
class AnswerReader implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: UpstreamAnswer) => void
  readonly #reject: (failure: UpstreamFailure) => void
  readonly #timer: NodeJS.Timeout
  readonly #last: number
  readonly #chunks: Buffer[] = []
  #status = 0
  #retryAfter: number | undefined
  #isOver = false
  /** Given right before the first byte is written. */
  #controller: Dispatcher.DispatchController | undefined

  constructor(
    resolve: (answer: UpstreamAnswer) => void,
    reject: (failure: UpstreamFailure) => void,
    { timeout, last }: { readonly timeout: number; readonly last: number },
  ) {
    this.#last = last
    this.#resolve = resolve
    this.#reject = reject
    this.#timer = setTimeout(() => this.#giveUp(), timeout)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (performance.now() >= this.#last) this.#giveUp()
    // What waited too long for a connection must not be sent: an error here keeps it from being written.
    if (this.#isOver) throw new Error('given up')
    this.#controller = controller
  }

  /** The last one counts: those before it were provisional (1xx). */
  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status
    this.#retryAfter = status < 400 ? undefined : secondsIn(headers['retry-after'])
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    if (!this.#end()) return
    const [only] = this.#chunks
    const body = only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks)
    this.#resolve({ status: this.#status, body: body.toString(), retryAfter: this.#retryAfter })
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (!this.#end()) return
    const reason = codeOf(error)
    const kind = this.#controller === undefined ? beforeIt(reason) : afterIt(error, reason)
    this.#reject(new UpstreamFailure(kind, { reason }))
  }

  #giveUp(): void {
    if (!this.#end()) return
    this.#reject(new UpstreamFailure(this.#controller === undefined ? 'not reached in time' : 'timed out'))
    this.#controller?.abort(new Error('given up'))
  }

  #end(): boolean {
    const isFirst = !this.#isOver
    this.#isOver = true
    clearTimeout(this.#timer)
    return isFirst
  }
}

const LONGEST_WAIT = 86_400

/** Callers are told no date, nothing that is no number, and nothing beyond a day. */
function secondsIn(retryAfter: unknown): number | undefined {
  if (typeof retryAfter !== 'string' || !/^\d{1,5}$/.test(retryAfter)) return undefined
  const seconds = Number(retryAfter)
  return seconds <= LONGEST_WAIT ? seconds : undefined
}

/** A word, never the text. */
function codeOf(error: Error): string {
  const { code = '', name }: NodeJS.ErrnoException = error
  return /^\w{1,64}$/.test(code) ? code : name
}

/** What failed before the first byte of the request was written. */
function beforeIt(code: string): FailureKind {
  return code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT' ? 'not reached in time' : 'not reached'
}

/** What failed after it. */
function afterIt(error: Error, code: string): FailureKind {
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE' || code === 'UND_ERR_HEADERS_OVERFLOW') return 'too large'
  return error instanceof errors.HTTPParserError ? 'no answer' : 'connection lost'
}
