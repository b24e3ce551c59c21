import swagger, { type StaticDocumentSpec } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { openApiDocument } from '../schemas/openapi.js'
import { sendAs } from './answers.js'

/** `/openapi.json`, and at `/docs` a page from which a request can be tried. */
export async function docsRoutes(app: FastifyInstance, { version }: { version: string }): Promise<void> {
  const document = openApiDocument(version)
  const text = JSON.stringify(document)
  // The plugin that serves the page's files has a mind of its own about caching.
  app.addHook('onSend', async (_request, reply) => void reply.header('cache-control', 'no-store'))
  app.get('/openapi.json', (_request, reply) => sendAs(reply, 'application/json', text))
  // The plugin's types end at OpenAPI 3.0; it hands the document on as it is.
  const specification = { document: document as unknown as StaticDocumentSpec['document'] }
  await app.register(swagger, { mode: 'static', specification })
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { tryItOutEnabled: true, deepLinking: true } })
}
