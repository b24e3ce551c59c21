import type { FastifyInstance } from 'fastify'
import type { Emulator } from '../src/emulator/emulator.js'
import { clockRoutes } from './clock.js'

/** What only an emulator has, below the admin API, whose guard and errors hold for it. */
export function emulatorRoutes(app: FastifyInstance, emulator: Emulator): void {
  clockRoutes(app, emulator.clock)
}
