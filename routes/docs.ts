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

const NO_DOCUMENT: StaticDocumentSpec['document'] = { openapi: '3.1.0', info: { title: '', version: '' }, paths: {} }

/** `/openapi.json`, and at `/docs` a page from which a request can be tried. */
export async function docsRoutes(app: FastifyInstance, { version }: { version: string }): Promise<void> {
  // Made when somebody first asks: no start waits for it.
  let document: ReturnType<typeof openApiDocument> | undefined
  let text: string | undefined
  const madeDocument = () => {
    document ??= openApiDocument(version)
    return document
  }
  // The plugin that serves the page's files sets headers of its own.
  app.addHook('onSend', async (_request, reply) => void reply.headers(HEADERS))
  app.get('/openapi.json', (_request, reply) => {
    text ??= JSON.stringify(madeDocument())
    return sendAs(reply, 'application/json', text)
  })
  // The page needs this plugin, whose own document would have to be there at the start.
  await app.register(swagger, { mode: 'static', specification: { document: NO_DOCUMENT } })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { tryItOutEnabled: true, deepLinking: true },
    transformSpecification: madeDocument,
    transformSpecificationClone: false,
  })
}
