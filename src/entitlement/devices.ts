import type { KeyOwner } from '../keys/key-storage.js'

/** The devices that have redeemed a token under a cookie. */
export interface Devices {
  of(owner: KeyOwner, cookie: string): Promise<RegisteredDevices>
}

export interface RegisteredDevices {
  /** That of the newest redemption. */
  readonly newest: string | undefined
  /** In the order in which they came. */
  readonly inOrder: readonly string[]
}
