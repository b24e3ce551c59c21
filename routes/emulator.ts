import type { FastifyInstance } from 'fastify'
import type { Emulator } from '../src/emulator/emulator.js'
import { clockRoutes } from './clock.js'
import { faultRoutes } from './faults.js'
import { inspectionRoutes } from './inspection.js'
import { resetRoutes } from './reset.js'
import { snapshotRoutes } from './snapshots.js'

/** What only an emulator has, below the admin API, whose guard and errors hold for it. */
export function emulatorRoutes(app: FastifyInstance, emulator: Emulator): void {
  clockRoutes(app, emulator.clock)
  faultRoutes(app, emulator.faults)
  resetRoutes(app, emulator)
  snapshotRoutes(app, emulator)
  inspectionRoutes(app, emulator)
}
