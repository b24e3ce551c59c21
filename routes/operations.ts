import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../src/metrics.js'
import { sendAs } from './answers.js'

/** What those ask who run the service: is it up, may it get requests, how is it doing. */
export async function operationsRoutes(app: FastifyInstance, { metrics }: { metrics: Metrics }): Promise<void> {
  app.get('/healthz', (_request, reply) => sendAs(reply, 'application/json', '{"status":"up"}'))
  app.get('/readyz', (_request, reply) => sendAs(reply, 'application/json', '{"status":"ready"}'))
  app.get('/metrics', async (_request, reply) =>
    sendAs(reply, metrics.registry.contentType, await metrics.registry.metrics()),
  )
}
