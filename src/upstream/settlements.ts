import type { Logger } from 'pino'
import { framesOf } from '../errors/public-error.js'
import type { Clock, Timer } from '../ground/clock.js'
import { ABANDONED_AFTER_MS } from '../ledger/abandoned-tokens.js'
import type { Ledger, LedgerEvent, Reservation } from '../ledger/ledger.js'

const PAUSE_MS = 1000
/** The longest time that a statement takes in the database (`statement_timeout`), and as much again. */
const CERTAINLY_OVER_MS = 10_000
/** So many at once: requests that come meanwhile want to be written, too. */
const GROUP = 256
/** About ten megabytes. What is beyond becomes `token_unknown`, as after a crash. */
const MOST_WAITING = 10_000

/**
 * Writes down what became of tokens that were asked for. An answer is worth more than its line in the log: so nobody
 * waits for more than the first try, and what fails is tried again behind their backs.
 */
export class Settlements {
  readonly #parts: SettlementsParts
  readonly #waiting: Settlement[] = []
  readonly #givingBack = new Set<Promise<void>>()
  /** What is given back once more, and when. */
  readonly #onceMore = new Map<Settlement, Timer>()
  #timer: Timer | undefined
  #catchingUp: Promise<void> = Promise.resolve()
  #isBehind = false
  #isClosing = false
  /** Since it is behind. */
  #recorded = 0
  #lost = 0

  constructor(parts: SettlementsParts) {
    this.#parts = parts
  }

  async settle(reservation: Reservation, event: LedgerEvent): Promise<void> {
    const settlement = { reservation, event }
    const error = await this.#try(settlement)
    if (error === undefined) return
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(settlement)
    else this.#lost += 1
    this.#fallBehind(error, event)
  }

  /**
   * Gives back what may have been taken, where the database did not say. It may still be at it, so there is a second
   * time when it certainly is not; where nothing was taken nothing happens.
   */
  giveBack(reservation: Reservation, event: LedgerEvent): void {
    const settlement = { reservation, event }
    this.#giveBack(settlement)
    if (this.#onceMore.size >= MOST_WAITING) return
    const again = () => {
      this.#onceMore.delete(settlement)
      this.#giveBack(settlement)
    }
    this.#onceMore.set(settlement, this.#parts.clock.after(CERTAINLY_OVER_MS, again))
  }

  /** Tries once more. For when nothing is under way, and the ledger still works. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#timer?.cancel()
    for (const [settlement, timer] of this.#onceMore) {
      timer.cancel()
      this.#giveBack(settlement)
    }
    await Promise.all(this.#givingBack)
    await this.#catchingUp
    await this.#catchUp()
    this.#lost += this.#waiting.splice(0).length
    this.#endBeingBehind()
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
    // One alone: while the database fails, each group that fails takes others with it.
    for (let most = 1; this.#waiting.length > 0; most = GROUP)
      if (!(await this.#tryAgain(this.#waiting.splice(0, most)))) break
    if (this.#waiting.length > 0) this.#catchUpLater()
    else this.#endBeingBehind()
  }

  /** Answers whether all went well. What did not goes to the end: one that never can must not stop the others. */
  async #tryAgain(settlements: readonly Settlement[]): Promise<boolean> {
    const errors = await Promise.all(settlements.map(settlement => this.#try(settlement)))
    const failed = settlements.filter((_, index) => errors[index] !== undefined)
    const sweptBefore = this.#parts.clock.now() - ABANDONED_AFTER_MS
    const worthIt = failed.filter(({ event }) => event.time >= sweptBefore)
    this.#waiting.push(...worthIt)
    this.#recorded += settlements.length - failed.length
    this.#lost += failed.length - worthIt.length
    return failed.length === 0
  }

  #endBeingBehind(): void {
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
