import type { FastifyInstance } from 'fastify'

/** Every route that is defined after this also answers with a final slash, which clients add and proxies lose. */
export function answerWithFinalSlash(app: FastifyInstance): void {
  app.addHook('onRoute', ({ prefix, ...route }) => {
    const isAdded = route.url.endsWith('/') || route.method === 'HEAD'
    if (!isAdded) app.route({ ...route, url: `${route.url.slice(prefix.length)}/`, schema: { hide: true } })
  })
}
