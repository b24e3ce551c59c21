import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import type { OpenAPIV3 } from 'openapi-types'
import { openApiDocument } from '../schemas/openapi.js'
import { sendAs } from './answers.js'

/** `/openapi.json`, and at `/docs` a page from which a request can be tried. */
export async function docsRoutes(app: FastifyInstance, { version }: { version: string }): Promise<void> {
  const document = openApiDocument(version)
  const text = JSON.stringify(document)
  app.get('/openapi.json', (_request, reply) => sendAs(reply, 'application/json', text))
  // The plugin's types end at OpenAPI 3.0; it hands the document on as it is.
  const specification = { document: document as unknown as OpenAPIV3.Document }
  await app.register(swagger, { mode: 'static', specification })
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { tryItOutEnabled: true, deepLinking: true } })
}
