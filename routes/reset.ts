import type { FastifyInstance } from 'fastify'
import { accountPath, read } from '../schemas/admin.js'
import { resetOrder } from '../schemas/reset.js'
import type { Emulator } from '../src/emulator/emulator.js'
import { JSON_TYPE } from '../src/http/answers.js'
import type { ZodTypes } from '../src/http/validation.js'
import { emulating, UNDISTURBED } from './emulating.js'

/** Starting over: everything, one customer, or one account for good. */
export function resetRoutes(app: FastifyInstance, { resets }: Emulator): void {
  const api = app.withTypeProvider<ZodTypes>()

  api.post(
    '/reset',
    {
      schema: {
        ...emulating('reset', 'Bring everything back to what the start made of its accounts, in one step.', {
          404: 'There is no such customer, or no emulator here.',
          ...UNDISTURBED,
        }),
        // Without a body it is a reset of everything, and Fastify would have null validated.
        reads: { body: { required: false, content: { [JSON_TYPE]: { schema: resetOrder } } } },
        sample: { body: { keep: ['accounts', 'keys'] } },
        answers: { 204: { description: 'It is done.' } },
      },
    },
    async ({ body }, reply) => {
      await resets.reset(read(resetOrder, body === undefined ? {} : body))
      return reply.code(204).send()
    },
  )

  api.delete(
    '/accounts/:id',
    {
      schema: {
        ...emulating('removeAccount', 'Remove an account with everything of it.', UNDISTURBED),
        params: accountPath,
        sample: { parameters: { id: 201722 } },
        answers: { 204: { description: 'It is not there any more. Its tokens are those of a disabled account.' } },
      },
    },
    async ({ params }, reply) => {
      await resets.removeAccount(params.id)
      return reply.code(204).send()
    },
  )
}
