import { type Randomness, randomBytes } from '../ground/randomness.js'
import type { StoredSeed } from '../store/reset-repository.js'
import type { Store } from '../store/store.js'
import { openIfReadable } from '../tokens/redemption-checks.js'
import { ClockControl, type ClockControlParts } from './clock-control.js'
import type { SavedClocks } from './emulated-clock.js'
import type { SavedFault } from './fault-rule.js'
import { Faults, type FaultsParts } from './faults.js'
import { Inspection, type InspectionParts } from './inspection.js'
import { RequestGate } from './request-gate.js'
import { type EmulatorPart, Reset } from './reset.js'
import { Snapshots } from './snapshots.js'

export interface EmulatorParts
  extends Omit<InspectionParts, 'now'>,
    Omit<ClockControlParts, 'events'>,
    Omit<FaultsParts, 'clock' | 'openToken'> {
  readonly store: Store
  readonly random: Randomness
  /** The accounts that a start adds to a new database. */
  readonly seeds: readonly StoredSeed[]
  /** Whether this start made the token keys for itself: they are neither configured nor stored. */
  readonly ownsTokenKeys: boolean
  /** What is in memory, and starts over with a reset. */
  readonly parts: readonly EmulatorPart[]
}

/** What only an emulator has: the parts that a tester controls, or asks. */
export class Emulator {
  readonly clock: ClockControl
  readonly faults: Faults
  readonly gate: RequestGate
  readonly resets: Reset
  readonly snapshots: Snapshots
  readonly inspection: Inspection
  readonly #parts: EmulatorPart[]

  constructor({ store, clock, random, seeds, ownsTokenKeys, parts, ...given }: EmulatorParts) {
    const { vault } = given
    this.clock = new ClockControl({ ...given, clock, events: store.events })
    const openToken = (token: string) => openIfReadable(vault, given.families, token)
    this.faults = new Faults({ ...given, random, clock, openToken })
    this.#parts = [...parts, clockPart(this.clock), faultsPart(this.faults)]
    if (ownsTokenKeys)
      this.addPart({
        name: 'tokenKeys',
        reset: customerId => {
          if (customerId === undefined) vault.replaceKeys([randomBytes(random, 32)])
        },
      })
    this.gate = new RequestGate(clock)
    const shared = { gate: this.gate, parts: this.#parts }
    this.resets = new Reset({ ...shared, resets: store.resets, accounts: store.accounts, seeds })
    this.snapshots = new Snapshots({ ...shared, repository: store.snapshots, now: clock.now })
    this.inspection = new Inspection({ ...given, now: clock.now })
  }

  /** A part that is built later than the emulator. */
  addPart(part: EmulatorPart): void {
    this.#parts.push(part)
  }
}

function clockPart(clock: ClockControl): EmulatorPart {
  return {
    name: 'clock',
    reset: customerId => clock.startOver(customerId),
    // The cast: what `save` returned, by way of JSON.
    snapshot: { save: () => clock.save(), restore: saved => clock.restore(saved as SavedClocks) },
  }
}

function faultsPart(faults: Faults): EmulatorPart {
  return {
    name: 'faults',
    reset: customerId => (customerId === undefined ? faults.clear() : faults.clearOf(customerId)),
    // The cast: what `save` returned, by way of JSON.
    snapshot: { save: () => faults.save(), restore: saved => faults.restore(saved as SavedFault[]) },
  }
}
