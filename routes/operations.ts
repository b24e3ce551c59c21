import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../src/metrics.js'
import type { Store } from '../src/store/store.js'
import { sendAs } from './answers.js'

export interface OperationsOptions {
  readonly metrics: Metrics
  readonly store: Store
}

/** What those ask who run the service: is it up, may it get requests, how is it doing. */
export async function operationsRoutes(app: FastifyInstance, { metrics, store }: OperationsOptions): Promise<void> {
  app.get('/healthz', (_request, reply) => sendAs(reply, 'application/json', '{"status":"up"}'))
  app.get('/readyz', async (_request, reply) => {
    const isReady = await store.ping().then(
      () => true,
      () => false,
    )
    const status = isReady ? 'ready' : 'the database does not answer'
    return sendAs(reply.code(isReady ? 200 : 503), 'application/json', JSON.stringify({ status }))
  })
  app.get('/metrics', async (_request, reply) =>
    sendAs(reply, metrics.registry.contentType, await metrics.registry.metrics()),
  )
}
