import type { Logger } from 'pino'
import type { Now } from '../ground/clock.js'
import type { PendingTokenRepository } from '../store/token-repositories.js'
import type { Ledger } from './ledger.js'

/** More than twice the longest time that another service may take, and room for clocks that differ. */
export const ABANDONED_AFTER_MS = 300_000

/**
 * Tokens that another service was asked for by a process that has ended since, or that could not write down what came
 * of it. Whether they were issued nobody knows, and so the log says; they stay paid for.
 */
export class AbandonedTokens {
  readonly #parts: AbandonedTokensParts
  /** What was asked for before is of another process, and where nobody else can be one it has ended. */
  readonly #startedAt: number

  constructor(parts: AbandonedTokensParts) {
    this.#parts = parts
    this.#startedAt = parts.now()
  }

  /** Tells the log of at most `most` of them, and answers how many there were. Instances that do it together tell once. */
  async tell(most: number): Promise<number> {
    const { pendingTokens, ledger, logger, now } = this.#parts
    const time = now()
    const longAgo = time - ABANDONED_AFTER_MS
    const moment = pendingTokens.isExclusive ? Math.max(longAgo, this.#startedAt) : longAgo
    const tokens = await pendingTokens.askedBefore(moment, most)
    if (tokens.length === 0) return 0
    const settling = await Promise.allSettled(tokens.map(token => ledger.settleAbandoned(token, time)))
    const written = settling.filter(({ status }) => status === 'fulfilled').length
    const failed = settling.find(one => one.status === 'rejected')
    if (written > 0)
      logger.warn({ tokens: written }, 'it is unknown whether tokens were issued that the upstream was asked for')
    if (failed !== undefined) throw failed.reason
    return written
  }
}

export interface AbandonedTokensParts {
  readonly pendingTokens: PendingTokenRepository
  readonly ledger: Ledger
  /** As all instances on the database have it. */
  readonly now: Now
  readonly logger: Logger
}
