import type { Dispatcher } from 'undici'
import { connectionFailure, WebhookFailure } from './failure.js'

/** A decision has a few dozen bytes; with a content a few thousand. */
export const LARGEST_ANSWER = 262_144

export interface WebhookRequest {
  readonly path: string
  readonly headers: string[]
  readonly body: string
}

export interface WebhookResponse {
  readonly status: number
  readonly body: Buffer
}

/** Sends a question once. So many milliseconds are for all of it, from connecting to the last byte of the answer. */
export function exchange(dispatcher: Dispatcher, request: WebhookRequest, timeout: number): Promise<WebhookResponse> {
  return new Promise((resolve, reject) => {
    dispatcher.dispatch({ method: 'POST', ...request }, new ResponseReader(resolve, reject, timeout))
  })
}

class ResponseReader implements Dispatcher.DispatchHandler {
  readonly #resolve: (response: WebhookResponse) => void
  readonly #reject: (failure: WebhookFailure) => void
  readonly #timer: NodeJS.Timeout
  readonly #chunks: Buffer[] = []
  #status = 0
  #isOver = false
  /** Given right before the first byte is written. */
  #controller: Dispatcher.DispatchController | undefined

  constructor(
    resolve: (response: WebhookResponse) => void,
    reject: (failure: WebhookFailure) => void,
    timeout: number,
  ) {
    this.#resolve = resolve
    this.#reject = reject
    this.#timer = setTimeout(() => this.#giveUp(), timeout)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Nobody waits for it any more: an error here keeps it from being written.
    if (this.#isOver) throw new Error('given up')
    this.#controller = controller
  }

  /** The last one counts: those before it were provisional (1xx). */
  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    if (this.#end()) this.#resolve({ status: this.#status, body: Buffer.concat(this.#chunks) })
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#end()) this.#reject(connectionFailure(error, this.#controller !== undefined))
  }

  #giveUp(): void {
    if (!this.#end()) return
    this.#reject(new WebhookFailure('timed out'))
    this.#controller?.abort(new Error('given up'))
  }

  #end(): boolean {
    const isFirst = !this.#isOver
    this.#isOver = true
    clearTimeout(this.#timer)
    return isFirst
  }
}
