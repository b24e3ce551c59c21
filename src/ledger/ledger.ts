import type { Environment } from '../environment.js'
import type { Drm } from '../tokens/content.js'

/** A token was issued: what the transaction log says of it (spec: records.md). Nothing secret is in it. */
export interface IssueEvent {
  readonly customerId: number
  readonly environment: Environment
  readonly drm: Drm
  readonly tokenId: string
  readonly kids: readonly string[]
  readonly cookie?: string | undefined
  readonly deviceId?: string | undefined
  readonly ipAddress?: string | undefined
  readonly rightsType: string
  readonly requestId: string
}

export interface Ledger {
  /** Takes one token from the customer's balance and appends the event: both, or (balance used up) neither. */
  recordIssue(event: IssueEvent): Promise<'recorded' | 'balance used up'>
}
