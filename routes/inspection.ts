import type { FastifyInstance } from 'fastify'
import { inspection, inspectionOrder } from '../schemas/inspection.js'
import type { Emulator } from '../src/emulator/emulator.js'
import { sendJson } from '../src/http/answers.js'
import { json } from '../src/http/operation.js'
import type { ZodTypes } from '../src/http/validation.js'
import { emulating } from './emulating.js'

/** What a token says, and what redeeming it would give. */
export function inspectionRoutes(app: FastifyInstance, emulator: Emulator): void {
  app.withTypeProvider<ZodTypes>().post(
    '/inspect',
    {
      schema: {
        ...emulating('inspectToken', 'What a token says, and what redeeming it would give. It changes nothing.', {
          404: 'This server has not sealed the token, or its keys have changed since, or no emulator is here.',
        }),
        body: inspectionOrder,
        sample: { body: { token: 'BwADEzo…', address: '192.0.2.1' } },
        answers: { 200: json('What it says.', inspection) },
      },
    },
    async ({ body, ip }, reply) => sendJson(reply, await emulator.inspection.inspect(body, ip)),
  )
}
