import type { Dialect } from 'kysely'
import type { Clustered } from './migrations/0001-accounts-events-keys.js'
import type { EventRow } from './tables.js'

/** An event on its way into the log; `cost` is what it takes from the service's balance. */
export type Entry = Omit<EventRow, 'event_id'> & { readonly cost: 0 | 1 }

/** What the rest of the store needs of a database: kysely speaks to it, and groups of events go in as one. */
export interface Engine {
  readonly dialect: Dialect
  /** The same without limits of time: tables may take long to change, and instances wait for the one that does it. */
  readonly patientDialect: Dialect
  readonly clustered: Clustered
  /**
   * Appends all entries in one durable transaction, in their order, and takes their cost from the balances. Where a
   * balance has come to its end the entry goes in as its refusal; the places of those are answered.
   */
  commit(entries: readonly Entry[]): Promise<readonly number[]>
  close(): Promise<void>
}

/** What becomes of an entry that its service's balance does not cover (spec: playready-token.md). */
export const REFUSED = { event: 'token_refused', token_id: null, error_code: -2019 } as const
