import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import { secondsIn } from './retry-after.js'

export interface SentRequest {
  readonly path: string
  readonly headers: string[]
  readonly body: string
}

export interface ReceivedAnswer {
  readonly status: number
  /** Seconds after which a host that refuses wants to be asked again. */
  readonly retryAfter: number | undefined
  readonly body: Buffer
}

export interface ExchangeTerms {
  /** Milliseconds, for all of it: from connecting to the last byte of the answer. */
  readonly timeout: number
  /** By `performance.now`: after this moment it must not be sent any more. */
  readonly last?: number
  /** What is thrown where there is no answer. */
  readonly failure: (lost: LostExchange) => Error
}

export interface LostExchange {
  /** What befell the connection; `undefined` when the time was over. */
  readonly error: Error | undefined
  /** Whether a byte of the request may have left. */
  readonly mayHaveArrived: boolean
}

/** Posts a request exactly once. */
export function exchange(dispatcher: Dispatcher, request: SentRequest, terms: ExchangeTerms): Promise<ReceivedAnswer> {
  return new Promise((resolve, reject) => {
    dispatcher.dispatch({ method: 'POST', ...request }, new AnswerReader(resolve, reject, terms))
  })
}

/** Gathers one answer, and knows whether the request may have left. */
class AnswerReader implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: ReceivedAnswer) => void
  readonly #reject: (failure: Error) => void
  readonly #terms: ExchangeTerms
  readonly #timer: NodeJS.Timeout
  readonly #chunks: Buffer[] = []
  #status = 0
  #retryAfter: number | undefined
  #isOver = false
  /** Given right before the first byte is written. */
  #controller: Dispatcher.DispatchController | undefined

  constructor(resolve: (answer: ReceivedAnswer) => void, reject: (failure: Error) => void, terms: ExchangeTerms) {
    this.#resolve = resolve
    this.#reject = reject
    this.#terms = terms
    this.#timer = setTimeout(() => this.#giveUp(), terms.timeout)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const { last } = this.#terms
    if (last !== undefined && performance.now() >= last) this.#giveUp()
    // What waited too long for a connection must not be sent: an error here keeps it from being written.
    if (this.#isOver) throw new Error('given up')
    this.#controller = controller
  }

  /** The last one counts: those before it were provisional (1xx). 100 never comes here (`isUnaskedContinue`). */
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
    this.#resolve({ status: this.#status, retryAfter: this.#retryAfter, body })
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#end()) this.#reject(this.#failure(error))
  }

  #giveUp(): void {
    if (!this.#end()) return
    this.#reject(this.#failure(undefined))
    this.#controller?.abort(new Error('given up'))
  }

  #failure(error: Error | undefined): Error {
    return this.#terms.failure({ error, mayHaveArrived: this.#controller !== undefined })
  }

  #end(): boolean {
    const isFirst = !this.#isOver
    this.#isOver = true
    clearTimeout(this.#timer)
    return isFirst
  }
}
