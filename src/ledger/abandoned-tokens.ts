import type { Now } from '../ground/clock.js'
import type { Logger } from '../ground/logger.js'
import { ALL_SERVICES, type ChosenServices } from '../store/chosen-services.js'
import type { PendingTokenRepository } from '../store/token-repositories.js'
import type { Ledger } from './ledger.js'

/** More than twice the longest time that another service may take, with room for clock differences. */
export const ABANDONED_AFTER_MS = 300_000

/**
 * Tokens requested from another service by a process that has died since, or that could not store the outcome. It is
 * unknown whether they were issued: the log says so, and they stay paid for.
 */
export class AbandonedTokens {
  readonly #parts: AbandonedTokensParts
  /** Tokens requested before this are of another process, which is dead if the database is exclusive. */
  readonly #startedAt: number

  constructor(parts: AbandonedTokensParts) {
    this.#parts = parts
    this.#startedAt = parts.now()
  }

  /**
   * Settles at most `most` of them, by the time of the customer whose they are, where one is given. Returns how many. Each is
   * logged once, even if several instances run this.
   */
  async settle(most: number, services: ChosenServices = ALL_SERVICES, customerId?: number): Promise<number> {
    const { pendingTokens, ledger, logger, now } = this.#parts
    const time = now(customerId)
    const longAgo = time - ABANDONED_AFTER_MS
    // An emulator's clock can be set back to before the start: the process has requested tokens in that time, too.
    const isExclusive = pendingTokens.isExclusive && time >= this.#startedAt
    const moment = isExclusive ? Math.max(longAgo, this.#startedAt) : longAgo
    const tokens = await pendingTokens.askedBefore(services, moment, most)
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
