import { read } from '../schemas/admin.js'
import { inspectionOrder } from '../schemas/inspection.js'
import { resetOrder } from '../schemas/reset.js'
import { newSnapshot } from '../schemas/snapshots.js'
import type { Emulator } from './emulator/emulator.js'
import type { EmulatorControls } from './emulator/server-controls.js'
import { ConfigError } from './errors/config-error.js'

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
