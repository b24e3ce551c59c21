import type { Dialect } from 'kysely'
import type { Clustered } from './migrations/0001-accounts-events-keys.js'
import type { EventRow } from './tables.js'

/** An event of the log without its number. `injected` is left out where it is not 1, so that it costs nothing. */
export type WrittenEvent = Omit<EventRow, 'event_id'>

/** An event to be written to the log, and what goes with it. */
export type Entry = WrittenEvent & {
  readonly step: Step
  /** The pending token that is written down or settled. */
  readonly pending_id: string | null
  /** Of a redemption that is counted. Left out of all others, so that they cost nothing more. */
  readonly redemption?: CountedRedemption
}

export interface CountedRedemption {
  readonly most: number
  /** When the token expires. */
  readonly expiresAt: number
  /** Whether the first redemption of the token takes one from the balance. */
  readonly pays: boolean
}

/** The greatest count that the database holds. */
export const UNLIMITED = 2_147_483_647

export type Step =
  /** The event alone. */
  | 'append'
  /** Takes one token from the balance and the day's quota. */
  | 'issue'
  /** Needs a balance, and takes from the day's quota alone. */
  | 'issue unpaid'
  /** Takes one as well, and writes a pending token instead of the event. */
  | 'reserve'
  /** The pending token becomes the event. If it is gone it was settled before, and nothing happens. */
  | 'keep'
  /** The same, and the token is refunded to the balance and to the quota of its day. */
  | 'refund'
  /** Counts a redemption, pays if it has to, and appends its event. A group has no two of the same token. */
  | 'redeem'

/** Why a token was not covered. */
export type UsedUp = 'balance used up' | 'quota used up'

export type NotCovered = UsedUp | 'redeemed too often' | 'settled before'

/** An entry that was not written as given. */
export interface Uncovered {
  /** The entry's place in its group. */
  readonly place: number
  /** Nothing is written of a redemption, where the token was settled before, or where another session has locked the service. */
  readonly why: NotCovered | 'locked'
}

/** What the rest of the store needs of a database: a kysely dialect, and the commit of a group of events. */
export interface Engine {
  readonly dialect: Dialect
  /** The same without limits of time: tables may take long to change, and instances wait for the one that does it. */
  readonly migrationDialect: Dialect
  readonly clustered: Clustered
  /** Makes all tables of this version at once, if the database has none. Where an engine lacks it, the migrations make them. */
  makeTables?(): Promise<boolean>
  /** No other process can have the database open, so what is pending at the start belongs to a dead process. */
  readonly isExclusive: boolean
  /**
   * Commits all entries in one durable transaction, in their order. Where a balance or quota is used up, the entry is
   * written as a refusal and returned, but for redemptions, of which nothing is written. Where another session keeps a service locked,
   * its entries are skipped and returned as well. `alone`: the entries are of a service that was locked before.
   */
  commit(entries: readonly Entry[], alone?: boolean): Promise<readonly Uncovered[]>
  /** Logged at the start. */
  readonly warnings: readonly string[]
  /** Resolves when the database answers: whether it refuses to write. Connections to a read-only database are discarded, because it may be a former primary. */
  readOnly(): Promise<boolean>
  /** What the database's own clock says, where that is not this machine's. */
  time(): Promise<number | undefined>
  close(): Promise<void>
}

/** The changes to an entry that its service's balance or quota does not cover (spec: playready-token.md). */
export const REFUSED = { event: 'token_refused', token_id: null, error_code: -2019 } as const

const DAY_MS = 86_400_000

/** Quotas are for days in UTC, counted since 1970. */
export function dayOf(time: number): number {
  return Math.floor(time / DAY_MS)
}

/** Clocks of instances may differ around midnight. A day farther ahead comes from a wrong clock. */
export const MOST_DAYS_AHEAD = 1

export function startOfDay(day: number): number {
  return day * DAY_MS
}
