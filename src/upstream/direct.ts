import { readAnswer, type UpstreamToken } from './answer.js'
import type { Exchange, UpstreamRequest } from './exchange.js'
import type { Upstream } from './upstream-issuer.js'

/** Asks through an exchange that never keeps anybody waiting. */
export class DirectUpstream implements Upstream {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  requireCapacity(): void {}

  async ask(request: UpstreamRequest): Promise<UpstreamToken> {
    return readAnswer(await this.#exchange.send(request, Number.POSITIVE_INFINITY), request)
  }

  close(): Promise<void> {
    return this.#exchange.close()
  }
}
