import type { FastifyInstance } from 'fastify'
import type { Emulator } from '../src/emulator/emulator.js'

/** What only an emulator has, below the admin API, whose guard and errors hold for it. */
export function emulatorRoutes(_app: FastifyInstance, _emulator: Emulator): void {}
