import type { Exchange, UpstreamAnswer, UpstreamRequest } from './exchange.js'
import { UpstreamFailure } from './failure.js'
import type { Recorder } from './recordings/recorder.js'

/** Records what goes through another exchange. The answer does not wait for that. */
export class RecordingExchange implements Exchange {
  readonly #exchange: Exchange
  readonly #recorder: Recorder
  readonly #now: () => number
  readonly #tries = new WeakMap<UpstreamRequest, number>()

  constructor(exchange: Exchange, recorder: Recorder, now: () => number) {
    this.#exchange = exchange
    this.#recorder = recorder
    this.#now = now
  }

  async send(request: UpstreamRequest, timeout: number, last?: number): Promise<UpstreamAnswer> {
    const tries = (this.#tries.get(request) ?? 0) + 1
    this.#tries.set(request, tries)
    const time = this.#now()
    try {
      const answer = await this.#exchange.send(request, timeout, last)
      this.#recorder.record({ request, time, tries, outcome: answer })
      return answer
    } catch (failure) {
      if (failure instanceof UpstreamFailure) this.#recorder.record({ request, time, tries, outcome: failure.kind })
      throw failure
    }
  }

  reconnect(): void {
    this.#exchange.reconnect?.()
  }

  async close(): Promise<void> {
    await this.#exchange.close()
    await this.#recorder.close()
  }
}
