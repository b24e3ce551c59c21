import type { Charge } from '../ground/account-choices.js'
import type { LicenceDrm } from '../ground/drms.js'
import type { Environment } from '../ground/environment.js'
import type { CountedRedemption, UsedUp } from '../store/engine.js'
import type { PendingTokenRow } from '../store/tables.js'

export type EventKind =
  | 'token_issued'
  | 'token_refused'
  /** Another service was asked for a token, and it is unknown whether it issued one. */
  | 'token_unknown'
  | 'token_redeemed'
  | 'redemption_refused'
  /** The entitlement service refused a token; one that it issues is `token_issued`. */
  | 'entitlement_refused'

/** An event of a customer's transaction log (spec: records.md). Nothing secret is in it. */
export interface LedgerEvent {
  readonly customerId: number
  readonly environment: Environment
  /** Milliseconds since 1970. */
  readonly time: number
  readonly event: EventKind
  readonly drm: LicenceDrm
  readonly tokenId?: string | undefined
  readonly kids: readonly string[]
  readonly cookie?: string | undefined
  readonly deviceId?: string | undefined
  readonly ipAddress?: string | undefined
  readonly rightsType?: string | undefined
  readonly errorCode: number
  readonly requestId: string
  /** Whether an emulator was told to refuse so. */
  readonly isInjected?: boolean | undefined
}

/** The transaction log. What it resolves is durable. */
export interface Ledger {
  /**
   * Takes one token from the customer's balance and the quota of the event's day, and appends the event, in one
   * transaction. With one of them used up it appends the refusal instead. A token that its redemption pays for needs a
   * balance above 0, and takes from the quota alone.
   */
  recordIssue(event: LedgerEvent, charge: Charge): Promise<'recorded' | UsedUp>
  /** Appends an event that costs nothing. */
  append(event: LedgerEvent): Promise<void>
  /** Counts a redemption of the event's token, pays if it is the first that has to, and appends the event: all or nothing. */
  redeem(event: LedgerEvent, redemption: CountedRedemption): Promise<'recorded' | NotRedeemed>
  /**
   * Takes one token in the same way before another service is asked for it, but appends nothing yet. What is never
   * settled, because the process has ended, becomes `token_unknown`. Throws an UnansweredReservation where the token may
   * have been taken all the same.
   */
  reserve(event: LedgerEvent): Promise<Reservation | UsedUp>
  /**
   * Appends the outcome, and refunds the token where none was issued: `token_refused`. A reservation becomes exactly one
   * event: to settle it again, or after it has become `token_unknown`, does nothing. So a caller that does not know
   * whether it was settled can retry.
   */
  settle(reservation: Reservation, event: LedgerEvent): Promise<void>
  /** The same for a reservation of a process that has ended: it becomes `token_unknown`, and stays paid for. */
  settleAbandoned(token: PendingTokenRow, time: number): Promise<void>
}

export type NotRedeemed = 'redeemed too often' | 'balance used up'

/** A token that was paid for, and that is not in the log yet. */
export interface Reservation {
  readonly id: string
}

/** The database did not answer, so it is unknown whether the token was taken. Settling it is safe in both cases. */
export class UnansweredReservation extends Error {
  constructor(
    readonly reservation: Reservation,
    cause: unknown,
  ) {
    super('the database did not answer to a reservation', { cause })
    this.name = 'UnansweredReservation'
  }
}
