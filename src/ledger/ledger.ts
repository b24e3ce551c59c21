import type { Environment } from '../environment.js'
import type { Drm } from '../tokens/content.js'

export type EventKind = 'token_issued' | 'token_refused' | 'token_redeemed' | 'redemption_refused'

/** What a licence is for: Clear Key has no tokens of its own, but redeems those of the others. */
export type LicenceDrm = Drm | 'clearkey'

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
}

/** The log, whatever keeps it. What it resolves is durable. */
export interface Ledger {
  /**
   * Takes one token from the customer's balance and appends the event, in one transaction. With the balance used up
   * it appends the refusal instead.
   */
  recordIssue(event: LedgerEvent): Promise<'recorded' | 'balance used up'>
  /** Appends an event that costs nothing. */
  append(event: LedgerEvent): Promise<void>
}
