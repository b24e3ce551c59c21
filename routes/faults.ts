import type { FastifyInstance } from 'fastify'
import { faultPath, newFault, newFaults, shownFault, shownFaults } from '../schemas/faults.js'
import type { Faults } from '../src/emulator/faults.js'
import { sendJson } from '../src/http/answers.js'
import { json } from '../src/http/operation.js'
import type { ZodTypes } from '../src/http/validation.js'
import { emulating } from './emulating.js'

const NEW_FAULT = { match: { route: '/hms/pr/token' }, times: 1, effect: { errorCode: -2019 } }

/** The faults that an emulator injects, below the admin API, whose guard and errors hold for them. */
export function faultRoutes(app: FastifyInstance, faults: Faults): void {
  const api = app.withTypeProvider<ZodTypes>()

  api.get(
    '/faults',
    {
      schema: {
        ...emulating('listFaults', 'The faults, with how often each has acted.'),
        answers: { 200: json('The rules, in their order.', shownFaults) },
      },
    },
    async (_request, reply) => sendJson(reply, faults.list()),
  )

  api.put(
    '/faults',
    {
      schema: {
        ...emulating('replaceFaults', 'Replace all faults; an empty list clears them.'),
        body: newFaults,
        sample: { body: [NEW_FAULT] },
        answers: { 200: json('The rules as they are now.', shownFaults) },
      },
    },
    async ({ body }, reply) => sendJson(reply, faults.set(body)),
  )

  api.post(
    '/faults',
    {
      schema: {
        ...emulating('addFault', 'Add a fault behind the others.', {
          409: 'There is a rule with this id, or there are as many as can be.',
        }),
        body: newFault,
        sample: { body: NEW_FAULT },
        answers: { 201: json('The rule.', shownFault) },
      },
    },
    async ({ body }, reply) => sendJson(reply.code(201), faults.add(body)),
  )

  api.delete(
    '/faults',
    {
      schema: {
        ...emulating('clearFaults', 'Remove all faults.'),
        answers: { 204: { description: 'There are none any more.' } },
      },
    },
    async (_request, reply) => {
      faults.clear()
      return reply.code(204).send()
    },
  )

  api.delete(
    '/faults/:id',
    {
      schema: {
        ...emulating('removeFault', 'Remove one fault.'),
        params: faultPath,
        sample: { parameters: { id: 'fault-1' } },
        answers: { 204: { description: 'It is not there any more.' } },
      },
    },
    async ({ params }, reply) => {
      faults.remove(params.id)
      return reply.code(204).send()
    },
  )
}
