import type { Generated } from 'kysely'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'

/**
 * The tables, the same in both engines: numbers, texts, and 0 or 1 for a truth, because not every engine has more.
 * Moments are milliseconds since 1970. A service is a customer in one environment, as the spec's records.md has it.
 */
export interface Tables {
  readonly accounts: AccountRow
  readonly services: ServiceRow
  readonly authenticators: AuthenticatorRow
  readonly keys: KeyRow
  readonly events: EventRow
  readonly pending_tokens: PendingTokenRow
  readonly redemptions: RedemptionRow
  readonly idempotency_keys: IdempotencyRow
  readonly contents: ContentRow
  readonly settings: SettingRow
  readonly snapshots: SnapshotRow
}

export interface AccountRow {
  readonly id: number
  readonly name: string
  readonly enabled: number
  /** Which DRMs it may use, by their names, in JSON: what is not named may be used. */
  readonly drm: string
  /** How often a token may be redeemed. */
  readonly max_redemptions: number | null
  /** `null`: the default for all accounts. */
  readonly requests_per_minute: Generated<number | null>
  /** When a token is paid for: `issue` or `redemption`. */
  readonly charge: Generated<string>
  /** `null`: the default for all accounts, as with the next. */
  readonly token_style: Generated<string | null>
  readonly strict_parameters: Generated<number | null>
}

export interface ServiceRow {
  readonly id: number
  readonly account_id: number
  readonly environment: Environment
  readonly balance: number
  /** The number of the newest event: they count up from 1 without a gap. */
  readonly last_event: number
  /** How many tokens it may have in a day; `null`: as many as its balance covers. */
  readonly tokens_per_day: Generated<number | null>
  /** The day of its newest token, counted since 1970 in UTC: it never goes back, whatever an instance's clock says. */
  readonly quota_day: Generated<number>
  /** How many tokens it had on that day. */
  readonly tokens_today: Generated<number>
}

export interface AuthenticatorRow {
  readonly hash: string
  readonly service_id: number
  readonly created_at: number
  /** When a replaced authenticator stops being valid. */
  readonly valid_until: number | null
  /** Unique in its service. `null` if it was given none. */
  readonly name: Generated<string | null>
}

export interface KeyRow {
  readonly service_id: number
  readonly kid: string
  readonly ek: string
  readonly kek_id: string | null
  readonly info: string | null
  readonly content_id: string | null
  readonly expiration: number | null
  readonly last_update: number
}

export interface EventRow {
  readonly service_id: number
  readonly event_id: number
  readonly time: number
  readonly event: string
  readonly drm: string
  readonly token_id: string | null
  /** KIDs, separated by commas. */
  readonly kids: string
  readonly cookie: string | null
  readonly device_id: string | null
  readonly ip_address: string | null
  readonly rights_type: string | null
  readonly error_code: number
  readonly request_id: string
  /** 1 for a refusal that an emulator was told to inject. */
  readonly injected?: number | null | undefined
}

/** A token that was paid for while another service is asked to issue it. */
export interface PendingTokenRow {
  readonly id: string
  readonly service_id: number
  /** The day whose quota it counts in. */
  readonly quota_day: number
  /** When it was requested. */
  readonly time: number
  readonly drm: string
  readonly kids: string
  readonly cookie: string | null
  readonly device_id: string | null
  readonly ip_address: string | null
  readonly rights_type: string | null
  readonly request_id: string
}

/** How often a token was redeemed, where its account has a limit. */
export interface RedemptionRow {
  readonly service_id: number
  readonly token_id: string
  readonly count: number
  /** When the token expires, and the row with it. */
  readonly expires_at: number
}

/** An Idempotency-Key that a request has taken; it is stored as a hash, and so is the request. */
export interface IdempotencyRow {
  readonly service_id: number
  readonly key_hash: string
  readonly request_hash: string
  /** Drawn at random by the request that has taken it: only that request may store the outcome. */
  readonly claim: string
  readonly claimed_at: number
  /** Sealed. `null` while the request is in flight, and permanently where its process died. */
  readonly outcome: string | null
  readonly expires_at: number
}

/** A content of the catalogue. */
export interface ContentRow {
  /** A GUID in lower case. */
  readonly content_id: string
  /** All that is known of it, sealed: its keys are in it. */
  readonly sealed: string
  readonly updated_at: number
}

/** What all instances on one database share. */
export interface SettingRow {
  readonly name: string
  readonly value: string
}

/** A snapshot of an emulator's database. The rows are in tables of its own. */
export interface SnapshotRow {
  readonly name: string
  /** It is part of the names of its tables. */
  readonly number: number
  readonly saved_at: number
  /** The version of the tables that were copied. */
  readonly schema: string
  /** What is not in the database, in JSON. */
  readonly state: string
}

/** A service's number follows from the customer's, so no look-up is needed. */
export function serviceId(customerId: number, environment: Environment): number {
  return customerId * 2 + (environment === 'production' ? 1 : 0)
}

/** In all environments, in the order in which groups of events lock them. */
export function servicesOf(customerIds: readonly number[]): number[] {
  return customerIds.flatMap(id => ENVIRONMENTS.map(environment => serviceId(id, environment)))
}

export function customerOfService(serviceId: number): number {
  return Math.floor(serviceId / 2)
}

export function environmentOfService(serviceId: number): Environment {
  return serviceId % 2 === 1 ? 'production' : 'test'
}
