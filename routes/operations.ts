import type { FastifyInstance } from 'fastify'
import { sendAs } from '../src/http/answers.js'
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
const unlimited = { config: { isUnlimited: true } }

/** What those ask who run the service: is it up, may it get requests, how is it doing. */
export async function operationsRoutes(
  app: FastifyInstance,
  { metrics, store, upstream }: OperationsOptions,
): Promise<void> {
  app.get('/healthz', unlimited, (_request, reply) => sendAs(reply, 'application/json', '{"status":"up"}'))
  app.get('/readyz', unlimited, async (_request, reply) => {
    const status = await store.readiness()
    // An upstream that fails does so for all instances: to send no requests to any of them would help nobody.
    const answer = { status, upstream: upstream?.states }
    return sendAs(reply.code(status === 'ready' ? 200 : 503), 'application/json', JSON.stringify(answer))
  })
  app.get('/metrics', unlimited, async (_request, reply) =>
    sendAs(reply, metrics.registry.contentType, await metrics.registry.metrics()),
  )
}
