import swagger, { type StaticDocumentSpec } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { openApiDocument } from '../schemas/openapi.js'
import { sendAs } from '../src/http/answers.js'

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

/** `/openapi.json`, and at `/docs` a page from which a request can be tried. */
export async function docsRoutes(app: FastifyInstance, { version }: { version: string }): Promise<void> {
  const document = openApiDocument(version)
  const text = JSON.stringify(document)
  // The plugin that serves the page's files sets headers of its own.
  app.addHook('onSend', async (_request, reply) => void reply.headers(HEADERS))
  app.get('/openapi.json', (_request, reply) => sendAs(reply, 'application/json', text))
  // The plugin's types end at OpenAPI 3.0; it hands the document on as it is.
  const specification = { document: document as unknown as StaticDocumentSpec['document'] }
  await app.register(swagger, { mode: 'static', specification })
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { tryItOutEnabled: true, deepLinking: true } })
}
