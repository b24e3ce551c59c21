import { EARLIEST, isWithinReach, LATEST, type ShownClock } from '../../schemas/clock.js'
import type { Accounts } from '../accounts/authentication.js'
import { orUnavailable, StatusError } from '../errors/public-error.js'
import { rfc3339 } from '../ground/clock.js'
import type { Retention } from '../ledger/retention.js'
import type { AccountLimit } from '../limits/rate-limits.js'
import { dayOf } from '../store/engine.js'
import type { EventRepository } from '../store/event-repository.js'
import { servicesOf } from '../store/tables.js'
import type { RepeatedRefusals } from '../tokens/repeated-refusals.js'
import { millisecondsOf, momentOf } from './durations.js'
import type { ClockChange, EmulatedClock, SavedClocks } from './emulated-clock.js'
import type { ClockListener, ServerClock, SetOptions } from './server-clock.js'

/** Each costs memory, and a sweep once a minute. */
const MOST_APART = 500

/** A tester's hand on the clocks of an emulator. */
export class ClockControl implements ServerClock {
  readonly #parts: ClockControlParts
  readonly #customerId: number | undefined
  readonly changed: Set<ClockListener>

  constructor(parts: ClockControlParts, customerId?: number, changed = new Set<ClockListener>()) {
    this.#parts = parts
    this.#customerId = customerId
    this.changed = changed
  }

  now(): number {
    return this.#parts.clock.now(this.#customerId)
  }

  of(customerId: number): ClockControl {
    return new ClockControl(this.#parts, customerId, this.changed)
  }

  async show(): Promise<ShownClock> {
    await this.#requireAccount()
    return this.#shown()
  }

  async set(moment: Date | number | string, { frozen }: SetOptions = {}): Promise<ShownClock> {
    return this.change({ now: momentOf(moment), frozen })
  }

  async freeze(): Promise<ShownClock> {
    return this.change({ frozen: true })
  }

  async unfreeze(): Promise<ShownClock> {
    return this.change({ frozen: false })
  }

  async advance(duration: string | number): Promise<ShownClock> {
    const milliseconds = millisecondsOf(duration)
    await this.#requireAccount()
    return this.#move({ by: milliseconds }, 'seconds')
  }

  async reset(): Promise<ShownClock> {
    await this.#requireAccount()
    return this.#reset()
  }

  /** Real time again for everyone, or for a customer the clock of all: also where the account is gone. */
  async startOver(customerId: number | undefined): Promise<void> {
    if (customerId === undefined) await this.restore()
    else if (this.#parts.clock.isApart(customerId)) await this.of(customerId).#reset()
  }

  #reset(): Promise<ShownClock> {
    const { clock, limit } = this.#parts
    clock.reset(this.#customerId)
    if (this.#customerId !== undefined) limit.rejoin(this.#customerId)
    return this.#settled()
  }

  async change(change: ClockChange): Promise<ShownClock> {
    await this.#requireAccount()
    return this.#move(change, 'now')
  }

  /** All clocks as they stand. */
  save(): SavedClocks {
    return this.#parts.clock.save()
  }

  /** Puts all clocks back to what `save` returned; without it, to real time. What falls due by that is done, too. */
  async restore(saved: SavedClocks = { customers: [] }): Promise<void> {
    const { clock, limit } = this.#parts
    const before = clock.customersApart
    clock.restore(saved)
    for (const customerId of before) if (!clock.isApart(customerId)) limit.rejoin(customerId)
    for (const customerId of clock.customersApart) limit.setApart(customerId)
    await new ClockControl(this.#parts, undefined, this.changed).#settled()
    for (const customerId of clock.customersApart) await this.of(customerId).#settled()
  }

  /** The clock changes in one step, so no request sees half of a change. */
  #move(change: ClockChange, parameter: 'now' | 'seconds'): Promise<ShownClock> {
    const { clock, limit } = this.#parts
    const customerId = this.#customerId
    const { by = 0, now = this.now() + by } = change
    if (!isWithinReach(now)) {
      const reach = `from ${rfc3339(EARLIEST)} to ${rfc3339(LATEST)}`
      throw new StatusError(400, `${parameter}: the clock must stay within its reach, ${reach}`, parameter)
    }
    if (customerId !== undefined) {
      if (!clock.isApart(customerId) && clock.customersApart.length >= MOST_APART)
        throw new StatusError(409, `${MOST_APART} accounts have a clock of their own, which is the most: reset one`)
      limit.setApart(customerId)
    }
    clock.change(change, customerId)
    return this.#settled()
  }

  /** Nothing waits for real time because a clock was changed. */
  async #settled(): Promise<ShownClock> {
    const { clock, events, refusals, retention } = this.#parts
    const customerId = this.#customerId
    const shown = this.#shown()
    refusals.close()
    const services =
      customerId === undefined ? { except: servicesOf(clock.customersApart) } : { only: servicesOf([customerId]) }
    await orUnavailable(events.recountTokens(services, dayOf(this.now())))
    await retention.sweepNow(customerId)
    for (const listener of this.changed) listener({ customerId, clock: shown })
    return shown
  }

  #shown(): ShownClock {
    const { clock } = this.#parts
    return {
      now: rfc3339(this.now()),
      offsetSeconds: clock.ahead(this.#customerId) / 1000,
      frozen: clock.isFrozen(this.#customerId),
      ...(this.#customerId !== undefined && { own: clock.isApart(this.#customerId) }),
    }
  }

  async #requireAccount(): Promise<void> {
    if (this.#customerId === undefined) return
    const account = await orUnavailable(this.#parts.accounts.find(this.#customerId))
    if (account === undefined) throw new StatusError(404, 'There is no account with this id', 'id')
  }
}

export interface ClockControlParts {
  readonly clock: EmulatedClock
  readonly accounts: Accounts
  readonly limit: AccountLimit
  readonly refusals: RepeatedRefusals
  readonly events: EventRepository
  readonly retention: Retention
}
