import { readFileSync } from 'node:fs'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { builtFile } from '../src/ground/own-package.js'
import { JSON_TYPE, sendAs } from '../src/http/answers.js'

/** The page loads only what comes with it, and asks only the server that it comes from. */
const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
}

/** The documents that the build has made of the routes: of this application, and of the entitlement service. */
const DOCUMENTS = ['openapi.json', 'openapi-entitlement.json'] as const

/** `/openapi.json`, `/openapi-entitlement.json`, and at `/docs` a page from which a request can be tried. */
export async function docsRoutes(app: FastifyInstance): Promise<void> {
  const texts = new Map<string, string>()
  // Read at the first request, so the start does not wait for it.
  const textOf = (name: string) => {
    const text = texts.get(name) ?? readFileSync(builtFile(name), 'utf8')
    texts.set(name, text)
    return text
  }
  // The plugin that serves the page's files sets headers of its own.
  app.addHook('onSend', async (_request, reply) => void reply.headers(HEADERS))
  for (const name of DOCUMENTS)
    app.get(`/${name}`, { schema: { hide: true } }, (_request, reply) => sendAs(reply, JSON_TYPE, textOf(name)))
  await app.register(fastifyStatic, {
    root: builtFile('docs-page'),
    prefix: '/docs/static/',
    index: false,
    decorateReply: !app.hasReplyDecorator('sendFile'),
  })
  app.get('/docs', { schema: { hide: true } }, (_request, reply) =>
    reply.sendFile('index.html', builtFile('docs-page')),
  )
  app.get('/docs/', { schema: { hide: true } }, (_request, reply) => reply.redirect('../docs'))
}
