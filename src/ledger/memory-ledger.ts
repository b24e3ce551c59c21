import type { MemoryAccounts } from '../accounts/memory-accounts.js'
import type { IssueEvent, Ledger } from './ledger.js'

/** Counts balances down and keeps no events. */
export class MemoryLedger implements Ledger {
  readonly #accounts: MemoryAccounts

  constructor(accounts: MemoryAccounts) {
    this.#accounts = accounts
  }

  async recordIssue({ customerId }: IssueEvent): Promise<'recorded' | 'balance used up'> {
    return this.#accounts.takeToken(customerId) ? 'recorded' : 'balance used up'
  }
}
