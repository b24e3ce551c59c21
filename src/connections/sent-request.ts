import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Clock, Timer } from '../ground/clock.js'
import { connectionFailure, RequestFailure, secondsOf } from './request-failure.js'

export interface ReceivedAnswer {
  readonly status: number
  /** Seconds after which the refusing service allows a retry. */
  readonly retryAfter: number | undefined
  readonly body: Buffer
}

/** An answer whose body is still arriving. The body ends with a RequestFailure if it does not arrive whole. */
export interface StreamedAnswer {
  readonly status: number
  /** As received: names and values alternate. */
  readonly headers: readonly string[]
  readonly body: Readable
}

export interface SendingTerms {
  /** Milliseconds left for the request. */
  readonly time: number
  /** In uptime: the request must not be sent after this moment. */
  readonly latestStart?: number | undefined
  readonly clock: Clock
}

/** Sends a request exactly once, and knows whether it may have arrived. */
abstract class SentRequest<Answer> implements Dispatcher.DispatchHandler {
  readonly #settle: (outcome: Answer | RequestFailure) => void
  protected readonly terms: SendingTerms
  readonly #timer: Timer
  #isSettled = false
  /** Set right before the first byte is written. */
  #controller: Dispatcher.DispatchController | undefined

  constructor(settle: (outcome: Answer | RequestFailure) => void, terms: SendingTerms) {
    this.#settle = settle
    this.terms = terms
    this.#timer = terms.clock.after(terms.time, () => this.#giveUpLate())
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const { latestStart, clock } = this.terms
    if (latestStart !== undefined && clock.uptime() >= latestStart) this.#giveUpLate()
    // A request that waited too long for a connection must not be sent: undici does not write it after an error here.
    if (this.#isSettled) throw new Error('given up')
    this.#controller = controller
  }

  /** The last call counts: earlier ones are for provisional answers (1xx). A 100 ends the connection instead. */
  abstract onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void
  abstract onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void
  abstract onResponseEnd(): void

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.settle(connectionFailure(error, this.#controller !== undefined))
  }

  giveUp(failure: RequestFailure): void {
    if (this.#isSettled) return
    this.settle(failure)
    this.#controller?.abort(failure)
  }

  protected settle(outcome: Answer | RequestFailure): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#timer.cancel()
    this.#settle(outcome)
  }

  #giveUpLate(): void {
    this.giveUp(new RequestFailure(this.#controller === undefined ? 'not reached in time' : 'timed out'))
  }
}

/** Waits for the whole answer. */
export class WholeAnswer extends SentRequest<ReceivedAnswer> {
  readonly #chunks: Buffer[] = []
  #status = 0
  #retryAfter: number | undefined

  override onResponseStart(_controller: unknown, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status
    this.#retryAfter = status < 400 ? undefined : secondsOf(headers['retry-after'])
  }

  override onResponseData(_controller: unknown, chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  override onResponseEnd(): void {
    const [only] = this.#chunks
    const body = only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks)
    this.settle({ status: this.#status, retryAfter: this.#retryAfter, body })
  }
}

/** Milliseconds for the whole of a streamed body: a longer one would only occupy a connection. */
const MAX_BODY_MS = 60_000

/** Hands the answer over when its body begins: an error before the first byte is an ordinary failure. */
export class AnswerStream extends SentRequest<StreamedAnswer> {
  #status = 0
  #headers: readonly string[] = []
  #body: Readable | undefined
  #timer: Timer | undefined

  override onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status
    this.#headers = textsOf(controller.rawHeaders)
    this.#body ??= this.#bodyOf(controller)
  }

  override onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#body?.push(chunk) === false) controller.pause()
    this.#begin()
  }

  override onResponseEnd(): void {
    this.#body?.push(null)
    this.#begin()
  }

  override onResponseError(controller: Dispatcher.DispatchController | undefined, error: Error): void {
    super.onResponseError(controller, error)
    this.#body?.destroy(error instanceof RequestFailure ? error : connectionFailure(error, true))
  }

  override giveUp(failure: RequestFailure): void {
    super.giveUp(failure)
    this.#body?.destroy(failure)
  }

  #begin(): void {
    if (this.#timer !== undefined || this.#body === undefined) return
    this.#timer = this.terms.clock.after(MAX_BODY_MS, () => this.giveUp(new RequestFailure('timed out')))
    this.settle({ status: this.#status, headers: this.#headers, body: this.#body })
  }

  #bodyOf(controller: Dispatcher.DispatchController): Readable {
    const body = new Readable({
      read: () => controller.resume(),
      destroy: (error, done) => {
        this.#timer?.cancel()
        if (!body.readableEnded) controller.abort(error ?? new RequestFailure('not read'))
        done(error)
      },
    })
    // The reader of the body has its own listener. Without any listener the error would crash the process.
    return body.on('error', () => {})
  }
}

/** HTTP/1.1 gives the bytes of names and values; the type also covers other protocols. */
function textsOf(raw: Dispatcher.DispatchController['rawHeaders']): readonly string[] {
  return Array.isArray(raw) ? raw.map(text => (typeof text === 'string' ? text : text.toString('latin1'))) : []
}
