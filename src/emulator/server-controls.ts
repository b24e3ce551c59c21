import type { FaultEffectInput, FaultInput, ShownFault } from '../../schemas/faults.js'
import type { TokenInspection } from '../../schemas/inspection.js'
import type { ResetInput } from '../../schemas/reset.js'
import type { ShownSnapshot } from '../../schemas/snapshots.js'
import type { ServerClock } from './server-clock.js'

/** What a test does with an emulator in its own process. The routes below `/admin/api` do the same, by the same objects. */
export interface EmulatorControls {
  /** What time it is here, and how to change that. */
  readonly clock: ServerClock
  /** The faults that it injects. */
  readonly faults: ServerFaults
  /**
   * Brings everything back to what the start made of its accounts, but for what is named in `keep`; with `customer`
   * only what belongs to that account. Every request comes wholly before it or wholly after it.
   */
  reset(order?: ResetInput): Promise<void>
  /** The database as it was at a moment, by names, with clock and faults. */
  readonly snapshots: {
    /** In place of a snapshot that has this name. */
    save(name: string): Promise<ShownSnapshot>
    /** The oldest first. */
    list(): Promise<ShownSnapshot[]>
    restore(name: string): Promise<ShownSnapshot>
    delete(name: string): Promise<void>
  }
  /** What a token says, and what redeeming it would give at each licence endpoint. It changes nothing. */
  inspect(token: string, options?: InspectOptions): Promise<TokenInspection>
}

/** The rules of the faults that an emulator injects: the first that matches a request acts on it. */
export interface ServerFaults {
  list(): ShownFault[]
  /** Replaces all rules; `[]` clears them. */
  set(rules: readonly FaultInput[]): ShownFault[]
  /** Adds a rule behind the others. */
  add(rule: FaultInput): ShownFault
  /** Adds a rule, or an effect for any request, that acts once. */
  once(what: FaultEffectInput | Omit<FaultInput, 'times'>): ShownFault
  remove(id: string): void
  clear(): void
}

export interface InspectOptions {
  /** When it would be redeemed; without it, now. */
  readonly at?: Date | string | undefined
  /** Where it would be redeemed from; without it, 127.0.0.1. */
  readonly address?: string | undefined
  /** The device that would redeem it; without it, one that gives no id. */
  readonly deviceId?: string | undefined
  /** Whether content keys are shown. */
  readonly keys?: boolean | undefined
}
