import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { sendAs } from '../src/http/answers.js'
import { json, type Operation } from '../src/http/operation.js'
import type { Metrics } from '../src/metrics.js'
import type { Store } from '../src/store/store.js'
import type { Upstream } from '../src/upstream/upstream-issuer.js'

export interface OperationsOptions {
  readonly metrics: Metrics
  readonly store: Store
  /** Where tokens are asked for elsewhere. */
  readonly upstream: Upstream | undefined
}

/** They ask often, and must see most when most goes wrong. */
const config = { isUnlimited: true }
const tags = ['operations'] as const
const state = z.object({ status: z.string() }).loose()

/** What those ask who run the service: is it up, may it get requests, how is it doing. */
export async function operationsRoutes(
  app: FastifyInstance,
  { metrics, store, upstream }: OperationsOptions,
): Promise<void> {
  app.get('/healthz', { config, schema: HEALTH }, (_request, reply) =>
    sendAs(reply, 'application/json', '{"status":"up"}'),
  )
  app.get(
    '/readyz',
    { config: { ...config, endpoint: { kind: 'readiness' } }, schema: READINESS },
    async (_request, reply) => {
      const status = await store.readiness()
      // A failing upstream fails for all instances, so taking them out of rotation would not help.
      const answer = { status, upstream: upstream?.states }
      return sendAs(reply.code(status === 'ready' ? 200 : 503), 'application/json', JSON.stringify(answer))
    },
  )
  app.get('/metrics', { config, schema: METRICS }, async (_request, reply) =>
    sendAs(reply, metrics.registry.contentType, await metrics.registry.metrics()),
  )
}

const HEALTH: Operation = {
  operationId: 'isUp',
  tags,
  summary: 'Whether the process is up.',
  answers: { 200: json('Yes.', state, { status: 'up' }) },
}

const READINESS: Operation = {
  operationId: 'isReady',
  tags,
  summary: 'Whether requests may be sent here.',
  answers: {
    200: json('Yes.', state, { status: 'ready' }),
    503: json('No: the database cannot be reached or written.', state, { status: 'unavailable' }),
  },
}

const METRICS: Operation = {
  operationId: 'readMetrics',
  tags,
  summary: 'Metrics for Prometheus.',
  answers: { 200: { description: 'Metrics.', content: { 'text/plain': { schema: 'text' } } } },
}
