import type { ShownClock } from '../../schemas/clock.js'

/** Called after a change of a clock, when everything that fell due by it is done; without `customerId` it is the clock of all. */
export type ClockListener = (change: { readonly customerId: number | undefined; readonly clock: ShownClock }) => void

export interface SetOptions {
  /** Whether the clock stands still from now on; not given, it stays as it is. */
  readonly frozen?: boolean | undefined
}

/**
 * The clock of an emulator, as a tester sets it: for all customers, or with `of` for one. What changes it resolves when
 * everything that fell due by the change is done.
 */
export interface ServerClock {
  /** In milliseconds since 1970. */
  now(): number
  /** The clock of one customer: that of all others until it is changed. */
  of(customerId: number): ServerClock
  show(): Promise<ShownClock>
  /** To a Date, to milliseconds since 1970, or to a text in RFC 3339. It runs on from there, or is frozen. */
  set(moment: Date | number | string, options?: SetOptions): Promise<ShownClock>
  freeze(): Promise<ShownClock>
  /** Lets a frozen clock run on from where it is. */
  unfreeze(): Promise<ShownClock>
  /** By `500ms`, `10s`, `5m`, `12h`, `31d` or `2w`, or by milliseconds; below 0, back. */
  advance(duration: string | number): Promise<ShownClock>
  /** Real time again; for a customer, the clock of all others. */
  reset(): Promise<ShownClock>
  /** Who hears of changes, of all clocks. */
  readonly changed: Set<ClockListener>
}
