import cors from '@fastify/cors'
import fastifyStatic from '@fastify/static'
import fastify from 'fastify'
import type { Test } from 'tap'

/** Serves a folder from an origin of its own, as a CDN does. Resolves with its URL. */
export async function serveMedia(t: Test, root: string): Promise<string> {
  const app = fastify()
  await app.register(cors, { origin: '*' })
  await app.register(fastifyStatic, { root })
  t.teardown(() => app.close())
  return app.listen({ host: '127.0.0.1', port: 0 })
}
