import type { FastifyInstance } from 'fastify'
import { read } from '../schemas/admin.js'
import { contentPageQuery, contentPath, readContentOrder } from '../schemas/contents.js'
import type { ContentAdministration } from '../src/entitlement/catalogue/stored-contents.js'
import { sendJson } from '../src/http/answers.js'

/** The contents of the entitlement service's catalogue, below the admin API, whose guard and errors hold for them. */
export function contentRoutes(app: FastifyInstance, contents: ContentAdministration): void {
  app.get('/contents', async (request, reply) =>
    sendJson(reply, await contents.list(read(contentPageQuery, request.query))),
  )

  app.get('/contents/:contentID', async (request, reply) => {
    const { contentID } = read(contentPath, request.params)
    return sendJson(reply, await contents.show(contentID))
  })

  app.put('/contents/:contentID', async (request, reply) => {
    const { contentID } = read(contentPath, request.params)
    const { isNew, content } = await contents.put(readContentOrder(contentID, request.body))
    if (isNew) reply.code(201).header('location', `${app.prefix}/contents/${contentID}`)
    return sendJson(reply, content)
  })

  app.delete('/contents/:contentID', async (request, reply) => {
    const { contentID } = read(contentPath, request.params)
    await contents.remove(contentID)
    return reply.code(204).send()
  })
}
