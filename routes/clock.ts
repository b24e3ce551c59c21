import type { FastifyInstance } from 'fastify'
import { accountPath } from '../schemas/admin.js'
import { clockAdvance, clockChange, shownClock } from '../schemas/clock.js'
import type { ClockControl } from '../src/emulator/clock-control.js'
import { sendJson } from '../src/http/answers.js'
import { json } from '../src/http/operation.js'
import type { ZodTypes } from '../src/http/validation.js'
import { emulating } from './emulating.js'

const shown = { 200: json('The clock, when everything that fell due is done.', shownClock) }
const sample = { parameters: { id: 201722 } }
const change = { body: clockChange, sample: { body: { now: '2027-01-01T00:00:00Z', frozen: true } } }
const advance = { body: clockAdvance, sample: { body: { seconds: 86_400 } } }
const params = { params: accountPath }
/** Under a frozen clock no minute ends: who has used up the limit of its address must be able to move the clock. */
const config = { isUnlimited: true }

const TOO_MANY = { 409: 'Too many accounts have a clock of their own.' }

function operation(operationId: string, summary: string, refuses: Readonly<Record<number, string>> = {}) {
  return { ...emulating(operationId, summary, refuses), answers: shown }
}

/** The clock of an emulator: of all customers, and of one. */
export function clockRoutes(app: FastifyInstance, clock: ClockControl): void {
  const api = app.withTypeProvider<ZodTypes>()

  api.get(
    '/clock',
    { config, schema: operation('showClock', 'What time it is for all accounts without a clock of their own.') },
    async (_request, reply) => sendJson(reply, await clock.show()),
  )
  api.put(
    '/clock',
    { config, schema: { ...operation('setClock', 'Set the clock, or freeze it.'), ...change } },
    async ({ body }, reply) => sendJson(reply, await clock.change(body)),
  )
  api.post(
    '/clock/advance',
    { config, schema: { ...operation('advanceClock', 'Advance the clock.'), ...advance } },
    async ({ body }, reply) => sendJson(reply, await clock.advance(body.seconds * 1000)),
  )
  api.delete('/clock', { config, schema: operation('resetClock', 'Real time again.') }, async (_request, reply) =>
    sendJson(reply, await clock.reset()),
  )

  api.get(
    '/accounts/:id/clock',
    { config, schema: { ...operation('showAccountClock', 'What time it is for one account.'), ...params, sample } },
    async ({ params }, reply) => sendJson(reply, await clock.of(params.id).show()),
  )
  api.put(
    '/accounts/:id/clock',
    {
      config,
      schema: {
        ...operation('setAccountClock', "Set or freeze one account's clock, which is its own from then on.", TOO_MANY),
        ...change,
        ...params,
        sample: { ...change.sample, ...sample },
      },
    },
    async ({ params, body }, reply) => sendJson(reply, await clock.of(params.id).change(body)),
  )
  api.post(
    '/accounts/:id/clock/advance',
    {
      config,
      schema: {
        ...operation('advanceAccountClock', "Advance one account's clock, which is its own from then on.", TOO_MANY),
        ...advance,
        ...params,
        sample: { ...advance.sample, ...sample },
      },
    },
    async ({ params, body }, reply) => sendJson(reply, await clock.of(params.id).advance(body.seconds * 1000)),
  )
  api.delete(
    '/accounts/:id/clock',
    {
      config,
      schema: { ...operation('resetAccountClock', 'The account goes by the clock of all again.'), ...params, sample },
    },
    async ({ params }, reply) => sendJson(reply, await clock.of(params.id).reset()),
  )
}
