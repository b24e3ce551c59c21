import { read } from '../schemas/admin.js'
import { inspectionOrder, type TokenInspection } from '../schemas/inspection.js'
import { type ResetInput, resetOrder } from '../schemas/reset.js'
import { newSnapshot, type ShownSnapshot } from '../schemas/snapshots.js'
import type { Emulator } from './emulator/emulator.js'
import type { Faults } from './emulator/faults.js'
import type { ServerClock } from './emulator/server-clock.js'
import { ConfigError } from './errors/config-error.js'

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

export type ServerFaults = Pick<Faults, 'list' | 'set' | 'add' | 'once' | 'remove' | 'clear'>

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

const ONLY_EMULATED = 'only an emulator has it, and this server has MODE=gateway'

/** What was not given comes from the same machine. */
const LOOPBACK = '127.0.0.1'

/** The controls of an emulator. Those of a gateway, which has none, throw. */
export function controlsOf(emulator: Emulator | undefined): EmulatorControls {
  const found = () => {
    if (emulator === undefined) throw new ConfigError(['MODE=gateway: only an emulator can be controlled by a test'])
    return emulator
  }
  const nameOf = (name: string) => read(newSnapshot, { name }).name
  return {
    clock: emulator?.clock ?? absentPart('clock', ONLY_EMULATED),
    faults: emulator?.faults ?? absentPart('faults', ONLY_EMULATED),
    reset: async order => found().resets.reset(read(resetOrder, order ?? {})),
    snapshots: {
      save: async name => found().snapshots.save(nameOf(name)),
      list: async () => found().snapshots.list(),
      restore: async name => found().snapshots.restore(nameOf(name)),
      delete: async name => found().snapshots.remove(nameOf(name)),
    },
    inspect: async (token, { at, ...options } = {}) => {
      const moment = at instanceof Date ? at.toISOString() : at
      return found().inspection.inspect(read(inspectionOrder, { token, at: moment, ...options }), LOOPBACK)
    },
  }
}

/** In the place of what a server does not have: whatever is asked of it is refused with the reason. */
export function absentPart<Part extends object>(name: string, reason: string): Part {
  const refuse = (_target: object, property: string | symbol) => {
    // Promises and consoles look for these of any object.
    if (typeof property === 'symbol' || property === 'then') return undefined
    throw new ConfigError([`server.${name}.${property}: ${reason}`])
  }
  // The cast: no member is ever reached.
  return new Proxy({}, { get: refuse }) as Part
}
