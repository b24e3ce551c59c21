import type { Clock, Now } from '../ground/clock.js'

/** What moves a clock: not given, it stays as it is. */
export interface ClockChange {
  /** Milliseconds since 1970. */
  readonly now?: number | undefined
  /** Milliseconds from where it stands; without `now`. */
  readonly by?: number | undefined
  readonly frozen?: boolean | undefined
}

/** Where a clock stands: its distance from the clock below while it runs, the moment while it is frozen. */
export type ClockState =
  | { readonly ahead: number; readonly elapsedAhead: number }
  | { readonly now: number; readonly elapsed: number }

/** All clocks as they stand, for a snapshot. */
export interface SavedClocks {
  /** Absent while it is not set. */
  readonly global?: ClockState | undefined
  readonly customers: readonly (readonly [customerId: number, state: ClockState])[]
}

/**
 * The time of an emulator: that of the machine until a tester sets it, for all customers or for one. Everything that a
 * caller can see goes by it. Its uptime and its timers are the machine's.
 */
export class EmulatedClock implements Clock {
  readonly isMachineClock: boolean
  readonly uptime: Clock['uptime']
  readonly sleep: Clock['sleep']
  readonly after: Clock['after']
  readonly every: Clock['every']
  readonly #machine: Clock
  /** Of all customers but those with a clock of their own; `undefined` while it is not set. */
  #global: ClockState | undefined
  readonly #customers = new Map<number, ClockState>()

  constructor(machine: Clock) {
    this.#machine = machine
    this.isMachineClock = machine.isMachineClock
    this.uptime = machine.uptime
    this.sleep = machine.sleep
    this.after = machine.after
    this.every = machine.every
  }

  readonly now: Now = customerId => {
    const state = this.#stateOf(customerId)
    if (state === undefined) return this.#machine.now()
    return 'ahead' in state ? this.#machine.now() + state.ahead : state.now
  }

  readonly elapsed: Now = customerId => {
    const state = this.#stateOf(customerId)
    if (state === undefined) return this.#wholeUptime
    return 'ahead' in state ? this.#wholeUptime + state.elapsedAhead : state.elapsed
  }

  /** How many milliseconds it is ahead of the machine's; below 0, behind it. */
  ahead(customerId?: number): number {
    const state = this.#stateOf(customerId)
    if (state === undefined) return 0
    return 'ahead' in state ? state.ahead : state.now - this.#machine.now()
  }

  isSet(customerId?: number): boolean {
    return this.#stateOf(customerId) !== undefined
  }

  isFrozen(customerId?: number): boolean {
    const state = this.#stateOf(customerId)
    return state !== undefined && 'now' in state
  }

  isApart(customerId: number): boolean {
    return this.#customers.has(customerId)
  }

  get customersApart(): readonly number[] {
    return [...this.#customers.keys()]
  }

  /** A customer without a clock of its own gets one. It begins where the clock of all stands. */
  change(change: ClockChange, customerId?: number): void {
    const { by = 0, frozen = this.isFrozen(customerId) } = change
    // Each is read once: a machine's clock goes on between two readings.
    const [machineNow, uptime] = [this.#machine.now(), this.#wholeUptime]
    const state = this.#stateOf(customerId) ?? { ahead: 0, elapsedAhead: 0 }
    const before = 'ahead' in state ? machineNow + state.ahead : state.now
    const now = change.now ?? before + by
    const elapsed = ('ahead' in state ? uptime + state.elapsedAhead : state.elapsed) + (now - before)
    this.#put(frozen ? { now, elapsed } : { ahead: now - machineNow, elapsedAhead: elapsed - uptime }, customerId)
  }

  /** The clock of all goes by the machine's again, or that of a customer by the clock of all. */
  reset(customerId?: number): void {
    if (customerId === undefined) this.#global = undefined
    else this.#customers.delete(customerId)
  }

  save(): SavedClocks {
    return { global: this.#global, customers: [...this.#customers] }
  }

  restore({ global, customers }: SavedClocks): void {
    this.#global = global
    this.#customers.clear()
    for (const [customerId, state] of customers) this.#customers.set(customerId, state)
  }

  #put(state: ClockState, customerId: number | undefined): void {
    if (customerId === undefined) this.#global = state
    else this.#customers.set(customerId, state)
  }

  #stateOf(customerId: number | undefined): ClockState | undefined {
    if (customerId === undefined || this.#customers.size === 0) return this.#global
    return this.#customers.get(customerId) ?? this.#global
  }

  /** In whole milliseconds, so that a span ends at the exact one however the clock was moved in between. */
  get #wholeUptime(): number {
    return Math.floor(this.#machine.uptime())
  }
}
