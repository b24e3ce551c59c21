import type { RedemptionLimit, RedemptionRepository } from '../store/redemptions.js'
import { rowOf } from './entry.js'
import type { Ledger, LedgerEvent } from './ledger.js'

/** Writes down that a token was redeemed. What it resolves is durable. */
export interface Redemptions {
  record(event: LedgerEvent, limit: RedemptionLimit | undefined): Promise<'recorded' | 'redeemed too often'>
}

/** Where there is nothing to count, a redemption is an event as any other and joins the next group. */
export class RecordedRedemptions implements Redemptions {
  readonly #ledger: Ledger
  readonly #repository: RedemptionRepository

  constructor(ledger: Ledger, repository: RedemptionRepository) {
    this.#ledger = ledger
    this.#repository = repository
  }

  async record(event: LedgerEvent, limit: RedemptionLimit | undefined): Promise<'recorded' | 'redeemed too often'> {
    if (limit !== undefined) return (await this.#counted(event, limit)) ? 'recorded' : 'redeemed too often'
    await this.#ledger.append(event)
    return 'recorded'
  }

  #counted(event: LedgerEvent, limit: RedemptionLimit): Promise<boolean> {
    return this.#repository.redeem(rowOf(event), limit)
  }
}
