import type { Owner } from '../ground/owner.js'

/** The devices that have redeemed a token under a cookie. */
export interface Devices {
  /** Throws the documented error where nobody can say. */
  of(owner: Owner, question: DeviceQuestion): Promise<RegisteredDevices>
  close?(): Promise<void>
}

export interface DeviceQuestion {
  readonly cookie: string
  /** How many of the first devices are of interest; none without it. */
  readonly first?: number | undefined
  readonly requestId: string
}

export interface RegisteredDevices {
  /** That of the newest redemption by a device that said which it is. */
  readonly newest: string | undefined
  /** Those that came first, in the order in which they came. */
  readonly first: readonly string[]
}
