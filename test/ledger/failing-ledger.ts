import type { Ledger } from '../../src/ledger/ledger.js'

/** A ledger that fails at everything with this text. */
export function failingLedger(text: string): Ledger {
  const fail = () => Promise.reject(new Error(text))
  return { recordIssue: fail, append: fail, reserve: fail, redeem: fail, settle: fail, settleAbandoned: fail }
}
