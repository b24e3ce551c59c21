import type { Drm } from '../ground/drms.js'
import type { Environment } from '../ground/environment.js'

/** A customer of the service. */
export interface Account {
  readonly id: number
  readonly name: string
  readonly enabled: boolean
  /** The DRMs by their names: what is not named may be used. */
  readonly drm: Readonly<Record<Drm, boolean>>
  /** How often one token may be redeemed; `null`: as often as its holder likes, until it expires. */
  readonly maxRedemptions: number | null
  readonly limits: AccountLimits
}

/** In each environment for itself. */
export interface AccountLimits {
  /** `null`: as many as from every account. */
  readonly requestsPerMinute: number | null
  /** `null`: as many as the balance covers. */
  readonly tokensPerDay: number | null
}

/** An account with all that is kept of it: each environment has its own balance and authenticators. */
export interface KnownAccount extends Account {
  readonly services: Readonly<Record<Environment, KnownService>>
}

export interface KnownService {
  readonly balance: number
  /** The newest first. */
  readonly authenticators: readonly KnownAuthenticator[]
}

export interface KnownAuthenticator {
  /** In hexadecimal. */
  readonly hash: string
  readonly createdAt: number
  /** When it stops to be valid, because another has replaced it. */
  readonly validUntil: number | undefined
}
