import type { Exchange, UpstreamAnswer } from './exchange.js'

/** Answers what was recorded in a folder. */
export class ReplayedExchange implements Exchange {
  constructor(_folder: string, _now: () => number) {}

  send(): Promise<UpstreamAnswer> {
    return Promise.reject(new Error('not yet'))
  }

  async close(): Promise<void> {}
}
