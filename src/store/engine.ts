import type { Dialect } from 'kysely'
import type { Clustered } from './migrations/0001-accounts-events-keys.js'
import type { EventRow } from './tables.js'

/** An event of the log without its number. */
export type WrittenEvent = Omit<EventRow, 'event_id'>

/** An event on its way into the log, and what goes with it. */
export type Entry = WrittenEvent & {
  readonly step: Step
  /** The pending token that is written down or settled. */
  readonly pending_id: string | null
  /** The limit of a redemption that is counted. Left out of all others, so that they cost nothing more. */
  readonly redemption?: RedemptionLimit
}

export interface RedemptionLimit {
  readonly most: number
  /** When the token expires. */
  readonly expiresAt: number
}

export type Step =
  /** The event alone. */
  | 'append'
  /** Takes one token from the balance and the day's quota. */
  | 'issue'
  /** Takes one as well, and writes down a pending token instead of the event. */
  | 'reserve'
  /** The pending token becomes the event. Where it is gone it has become one before, and nothing happens. */
  | 'keep'
  /** The same, and the token goes back to the balance and to the quota of its day. */
  | 'refund'
  /** Counts a redemption and appends its event. A group has no two of the same token. */
  | 'redeem'

/** Why a token was not covered. */
export type UsedUp = 'balance used up' | 'quota used up'

export type NotCovered = UsedUp | 'redeemed too often' | 'settled before'

/** An entry that did not go in as it was. */
export interface Uncovered {
  /** The entry's place in its group. */
  readonly place: number
  /** Nothing is written where the token was redeemed too often or settled before, or another session has locked the service. */
  readonly why: NotCovered | 'locked'
}

/** What the rest of the store needs of a database: kysely speaks to it, and groups of events go in as one. */
export interface Engine {
  readonly dialect: Dialect
  /** The same without limits of time: tables may take long to change, and instances wait for the one that does it. */
  readonly patientDialect: Dialect
  readonly clustered: Clustered
  /** Nobody else has the database open, nor did while it was: what is pending at its start is of a process that is gone. */
  readonly isExclusive: boolean
  /**
   * Takes the steps of all entries in one durable transaction, in their order. Where a balance or a quota has come to
   * its end the entry goes in as its refusal; those are answered. Where a service stays locked by somebody else,
   * its entries are passed over and answered, too. `alone`: the entries are of a service that was locked before.
   */
  commit(entries: readonly Entry[], alone?: boolean): Promise<readonly Uncovered[]>
  /** Said at the start. */
  readonly warnings: readonly string[]
  /** Resolves when the database answers: whether it refuses to write. Connections to such a database are let go, because it may be a former primary. */
  readOnly(): Promise<boolean>
  /** What the database's own clock says, where that is not this machine's. */
  time(): Promise<number | undefined>
  close(): Promise<void>
}

/** What becomes of an entry that its service's balance or quota does not cover (spec: playready-token.md). */
export const REFUSED = { event: 'token_refused', token_id: null, error_code: -2019 } as const

const DAY_MS = 86_400_000

/** Quotas are for days in UTC, counted since 1970. */
export function dayOf(time: number): number {
  return Math.floor(time / DAY_MS)
}

/** Clocks of instances may differ around midnight. A day that is farther ahead was none. */
export const MOST_DAYS_AHEAD = 1

export function startOfDay(day: number): number {
  return day * DAY_MS
}
