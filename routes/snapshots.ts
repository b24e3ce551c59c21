import type { FastifyInstance } from 'fastify'
import { newSnapshot, shownSnapshot, snapshotList, snapshotPath } from '../schemas/snapshots.js'
import type { Emulator } from '../src/emulator/emulator.js'
import { sendJson } from '../src/http/answers.js'
import { json } from '../src/http/operation.js'
import type { ZodTypes } from '../src/http/validation.js'
import { emulating, UNDISTURBED } from './emulating.js'

const sample = { parameters: { name: 'seeded' } }

/** Snapshots of the database, with the state of clock and faults. */
export function snapshotRoutes(app: FastifyInstance, { snapshots }: Emulator): void {
  const api = app.withTypeProvider<ZodTypes>()

  api.post(
    '/snapshots',
    {
      schema: {
        ...emulating('saveSnapshot', 'Save a snapshot, in place of one that has this name.', {
          409: 'There are too many.',
          ...UNDISTURBED,
        }),
        body: newSnapshot,
        sample: { body: { name: 'seeded' } },
        answers: { 201: json('The snapshot.', shownSnapshot) },
      },
    },
    async ({ body }, reply) => sendJson(reply.code(201), await snapshots.save(body.name)),
  )

  api.get(
    '/snapshots',
    {
      schema: {
        ...emulating('listSnapshots', 'All snapshots.'),
        answers: { 200: json('The snapshots.', snapshotList) },
      },
    },
    async (_request, reply) => sendJson(reply, { snapshots: await snapshots.list() }),
  )

  api.post(
    '/snapshots/:name/restore',
    {
      schema: {
        ...emulating('restoreSnapshot', 'Put a snapshot in the place of what is there.', {
          409: 'It was saved by a version of the service with other tables.',
          ...UNDISTURBED,
        }),
        params: snapshotPath,
        sample,
        answers: { 200: json('The snapshot.', shownSnapshot) },
      },
    },
    async ({ params }, reply) => sendJson(reply, await snapshots.restore(params.name)),
  )

  api.delete(
    '/snapshots/:name',
    {
      schema: {
        ...emulating('removeSnapshot', 'Remove a snapshot.', UNDISTURBED),
        params: snapshotPath,
        sample,
        answers: { 204: { description: 'It is not there any more.' } },
      },
    },
    async ({ params }, reply) => {
      await snapshots.remove(params.name)
      return reply.code(204).send()
    },
  )
}
