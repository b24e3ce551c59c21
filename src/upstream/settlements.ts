import { framesOf } from '../errors/public-error.js'
import type { Clock, Timer } from '../ground/clock.js'
import type { Logger } from '../ground/logger.js'
import { ABANDONED_AFTER_MS } from '../ledger/abandoned-tokens.js'
import type { Ledger, LedgerEvent, Reservation } from '../ledger/ledger.js'

const PAUSE_MS = 1000
/** Twice the longest time of a database statement (`statement_timeout`). */
const CERTAINLY_OVER_MS = 10_000
/** Settlements per group: new requests need the database at the same time. */
const GROUP = 256
/** About ten megabytes. Further ones become `token_unknown`, as after a crash. */
const MAX_WAITING = 10_000

/**
 * Records the outcomes of token requests. The answer is worth more than its log line, so the caller waits only for the
 * first try; a failed one is retried in the background.
 */
export class Settlements {
  readonly #parts: SettlementsParts
  readonly #waiting: Settlement[] = []
  readonly #givingBack = new Set<Promise<void>>()
  /** Reservations that are given back a second time, with their timers. */
  readonly #secondTries = new Map<Settlement, Timer>()
  #timer: Timer | undefined
  #catchingUp: Promise<void> = Promise.resolve()
  #isBehind = false
  #isClosing = false
  /** Recorded since it fell behind. */
  #recorded = 0
  #lost = 0

  constructor(parts: SettlementsParts) {
    this.#parts = parts
  }

  async settle(reservation: Reservation, event: LedgerEvent): Promise<void> {
    const settlement = { reservation, event }
    const error = await this.#try(settlement)
    if (error === undefined) return
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(settlement)
    else this.#lost += 1
    this.#fallBehind(error, event)
  }

  /**
   * Gives back a reservation that the database did not confirm. The statement may still be running, so there is a
   * second try when it has certainly ended. Nothing happens if nothing was reserved.
   */
  giveBack(reservation: Reservation, event: LedgerEvent): void {
    const settlement = { reservation, event }
    this.#giveBack(settlement)
    if (this.#secondTries.size >= MAX_WAITING) return
    const again = () => {
      this.#secondTries.delete(settlement)
      this.#giveBack(settlement)
    }
    this.#secondTries.set(settlement, this.#parts.clock.after(CERTAINLY_OVER_MS, again))
  }

  /** Tries once more. Call it when no request is in flight and the ledger still works. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#timer?.cancel()
    for (const [settlement, timer] of this.#secondTries) {
      timer.cancel()
      this.#giveBack(settlement)
    }
    await Promise.all(this.#givingBack)
    await this.#catchingUp
    await this.#catchUp()
    this.#lost += this.#waiting.splice(0).length
    this.#endCatchUp()
  }

  #giveBack({ reservation, event }: Settlement): void {
    const work = this.settle(reservation, event).finally(() => this.#givingBack.delete(work))
    this.#givingBack.add(work)
  }

  #fallBehind(error: Error, { requestId }: LedgerEvent): void {
    if (!this.#isBehind) {
      const what = { requestId, error: error.name, stack: framesOf(error) }
      this.#parts.logger.error(what, 'what became of a token could not be recorded, and is tried again')
      this.#catchUpLater()
    }
    this.#isBehind = true
  }

  #catchUpLater(): void {
    if (this.#isClosing) return
    this.#timer = this.#parts.clock.after(PAUSE_MS, () => {
      this.#catchingUp = this.#catchUp()
    })
  }

  async #catchUp(): Promise<void> {
    // The first goes alone: while the database fails, a failing group fails other writes with it.
    for (let most = 1; this.#waiting.length > 0; most = GROUP)
      if (!(await this.#tryAgain(this.#waiting.splice(0, most)))) break
    if (this.#waiting.length > 0) this.#catchUpLater()
    else this.#endCatchUp()
  }

  /** Whether all were recorded. Failed ones go to the end: one that always fails must not block the others. */
  async #tryAgain(settlements: readonly Settlement[]): Promise<boolean> {
    const errors = await Promise.all(settlements.map(settlement => this.#try(settlement)))
    const failed = settlements.filter((_, index) => errors[index] !== undefined)
    const sweptBefore = (customerId: number) => this.#parts.clock.now(customerId) - ABANDONED_AFTER_MS
    const retryable = failed.filter(({ event }) => event.time >= sweptBefore(event.customerId))
    this.#waiting.push(...retryable)
    this.#recorded += settlements.length - failed.length
    this.#lost += failed.length - retryable.length
    return failed.length === 0
  }

  #endCatchUp(): void {
    const { logger } = this.#parts
    if (this.#recorded > 0) logger.info({ tokens: this.#recorded }, 'what became of tokens is recorded now')
    if (this.#lost > 0) logger.error({ tokens: this.#lost }, 'what became of tokens was not recorded')
    this.#isBehind = false
    this.#recorded = 0
    this.#lost = 0
  }

  async #try({ reservation, event }: Settlement): Promise<Error | undefined> {
    try {
      await this.#parts.ledger.settle(reservation, event)
      return undefined
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  }
}

interface Settlement {
  readonly reservation: Reservation
  readonly event: LedgerEvent
}

export interface SettlementsParts {
  readonly ledger: Ledger
  readonly logger: Logger
  readonly clock: Clock
}
