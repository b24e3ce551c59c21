import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  foundEvents,
  foundRequests,
  journalledRequest,
  matchCount,
  requestPage,
  requestPath,
  requestQuery,
  unmetEvents,
  unmetRequests,
  verifiedEvents,
  verifiedRequests,
} from '../schemas/journal.js'
import {
  eventPattern,
  eventVerification,
  eventWait,
  requestPattern,
  requestVerification,
  requestWait,
  searchQuery,
} from '../schemas/patterns.js'
import { StatusError } from '../src/errors/public-error.js'
import { CALLER_GONE } from '../src/http/answering.js'
import { sendJson } from '../src/http/answers.js'
import { json, type Operation } from '../src/http/operation.js'
import type { ZodTypes } from '../src/http/validation.js'
import { ExpectationError } from '../src/journal/expectation-error.js'
import type { Observation } from '../src/journal/observation.js'
import type { Expectation, Matches } from '../src/journal/watchers.js'
import { emulating } from './emulating.js'

const REFUSED = { path: '/hms/pr/token', status: 401 }
const ISSUED = { event: 'token_issued', customer: 201722 }
const EXPECTED = { times: { atLeast: 1, atMost: 1 }, withinMs: 2000 }

/** `/admin/api/requests` and `/admin/api/events`: what the server was asked, and what it logged. */
export function journalRoutes(app: FastifyInstance, observation: Observation, options: { isReadOnly: boolean }): void {
  const api = app.withTypeProvider<ZodTypes>()

  api.get(
    '/requests',
    {
      schema: {
        ...operation('listRequests', 'Requests of the journal, the newest first.'),
        querystring: requestQuery,
        answers: { 200: json('The requests.', requestPage) },
      },
    },
    async ({ query: { limit, before, ...pattern } }, reply) =>
      sendJson(reply, await observation.list(pattern, { limit, before })),
  )

  api.get(
    '/requests/:id',
    {
      schema: {
        ...operation('showRequest', 'One request of the journal.'),
        params: requestPath,
        sample: { parameters: { id: '5d2ab1c09e77-1' } },
        answers: { 200: json('The newest request with this id.', journalledRequest) },
      },
    },
    async ({ params }, reply) => sendJson(reply, await observation.show(params.id)),
  )

  if (!options.isReadOnly)
    api.delete(
      '/requests',
      {
        schema: {
          ...operation('clearRequests', 'Empty the journal.'),
          answers: { 204: { description: 'It is empty.' } },
        },
      },
      async (_request, reply) => {
        observation.clear()
        return reply.code(204).send()
      },
    )

  api.post(
    '/requests/find',
    {
      schema: {
        ...operation('findRequests', 'Requests of the journal that match a pattern.'),
        querystring: searchQuery,
        body: requestPattern,
        sample: { body: REFUSED },
        answers: { 200: json('The requests.', foundRequests) },
      },
    },
    async ({ body, query }, reply) => sendJson(reply, { requests: await observation.requests.find(body, query.limit) }),
  )

  api.post(
    '/requests/count',
    {
      schema: {
        ...operation('countRequests', 'How many requests of the journal match a pattern.'),
        body: requestPattern,
        sample: { body: REFUSED },
        answers: { 200: json('How many.', matchCount) },
      },
    },
    async ({ body }, reply) => sendJson(reply, { count: await observation.requests.count(body) }),
  )

  const requestExpectation = {
    sample: { body: { pattern: REFUSED, ...EXPECTED } },
    answers: {
      200: json('It holds.', verifiedRequests),
      406: json('It does not hold: the nearest requests, and what differs.', unmetRequests),
    },
  }
  const requestAnswer = ({ count, matches }: Matches<unknown>) => ({ count, requests: matches })

  api.post(
    '/requests/verify',
    {
      schema: {
        ...operation('verifyRequests', 'Whether as many requests as wanted match a pattern.'),
        body: requestVerification,
        ...requestExpectation,
      },
    },
    async (request, reply) => {
      const { pattern, ...wanted } = request.body
      return expect(request, reply, async signal =>
        requestAnswer(await observation.requests.verify(pattern, { ...wanted, signal })),
      )
    },
  )

  api.post(
    '/requests/wait',
    {
      schema: {
        ...operation('awaitRequests', 'Wait until as many requests as wanted match a pattern.'),
        body: requestWait,
        ...requestExpectation,
      },
    },
    async (request, reply) => {
      const { pattern, ...wanted } = request.body
      return expect(request, reply, async signal =>
        requestAnswer(await observation.requests.wait(pattern, { ...wanted, signal })),
      )
    },
  )

  eventRoutes(app, observation)
}

function eventRoutes(app: FastifyInstance, { events }: Observation): void {
  const api = app.withTypeProvider<ZodTypes>()

  api.post(
    '/events/find',
    {
      schema: {
        ...operation('findEvents', 'Events of the transaction log that match a pattern.'),
        querystring: searchQuery,
        body: eventPattern,
        sample: { body: ISSUED },
        answers: { 200: json('The events.', foundEvents) },
      },
    },
    async ({ body, query }, reply) => sendJson(reply, { events: await events.find(body, query.limit) }),
  )

  api.post(
    '/events/count',
    {
      schema: {
        ...operation('countEvents', 'How many events of the transaction log match a pattern.'),
        body: eventPattern,
        sample: { body: ISSUED },
        answers: { 200: json('How many.', matchCount) },
      },
    },
    async ({ body }, reply) => sendJson(reply, { count: await events.count(body) }),
  )

  const expectation = {
    sample: { body: { pattern: ISSUED, ...EXPECTED } },
    answers: {
      200: json('It holds.', verifiedEvents),
      406: json('It does not hold: the nearest events, and what differs.', unmetEvents),
    },
  }
  const answerOf = ({ count, matches }: Matches<unknown>) => ({ count, events: matches })

  api.post(
    '/events/verify',
    {
      schema: {
        ...operation('verifyEvents', 'Whether as many events as wanted match a pattern.'),
        body: eventVerification,
        ...expectation,
      },
    },
    async (request, reply) => {
      const { pattern, ...wanted } = request.body
      return expect(request, reply, async signal => answerOf(await events.verify(pattern, { ...wanted, signal })))
    },
  )

  api.post(
    '/events/wait',
    {
      schema: {
        ...operation('awaitEvents', 'Wait until as many events as wanted match a pattern.'),
        body: eventWait,
        ...expectation,
      },
    },
    async (request, reply) => {
      const { pattern, ...wanted } = request.body
      return expect(request, reply, async signal => answerOf(await events.wait(pattern, { ...wanted, signal })))
    },
  )
}

function operation(operationId: string, summary: string): Omit<Operation, 'answers'> {
  return emulating(operationId, summary, { 503: 'Too many wait, or the server is shutting down.' })
}

/** Waits no longer than its caller does. */
async function expect(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (signal: Expectation['signal']) => Promise<object>,
): Promise<FastifyReply> {
  const gone = new AbortController()
  const leave = () => gone.abort(new StatusError(CALLER_GONE, 'The caller is gone'))
  reply.raw.once('close', leave)
  try {
    return sendJson(reply, await work(gone.signal))
  } catch (error) {
    if (!(error instanceof ExpectationError)) throw error
    return sendJson(reply.code(error.status), error.toJson(request.id))
  } finally {
    reply.raw.removeListener('close', leave)
  }
}
