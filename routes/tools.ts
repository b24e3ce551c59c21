import type { FastifyError, FastifyInstance } from 'fastify'
import { readPsshRequest } from '../schemas/pssh.js'
import { clearKeyUrl, licenceUrl } from '../src/drm/licence-urls.js'
import { playready } from '../src/drm/playready.js'
import { plainHost } from '../src/http/addressed-host.js'
import { sendJson, sendRefusal } from '../src/http/answers.js'
import { readJsonBodies } from '../src/http/json-bodies.js'
import { protectionOf } from '../src/pssh/protection.js'

export interface ToolRoutesOptions {
  /** Where clients reach us; without one it is the host that the request was sent to. */
  readonly publicUrl: URL | undefined
}

/** `/tools`: help for those who package and play. Nothing secret is answered, so nobody has to say who they are. */
export async function toolRoutes(app: FastifyInstance, { publicUrl }: ToolRoutesOptions): Promise<void> {
  readJsonBodies(app)
  app.addHook('onRequest', async (_request, reply) => {
    reply.errorFormat = 'json'
  })
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const { statusCode: status = 500 } = error
    const message = BODY_REFUSALS.get(status)
    if (message === undefined) throw error
    return sendRefusal(request, reply, { status, code: status, message })
  })

  // Nothing changes.
  app.post('/pssh', { config: { isOpenToOtherSites: true } }, async (request, reply) => {
    const asked = readPsshRequest(request.body)
    if ('message' in asked) return sendRefusal(request, reply, { status: 400, code: 400, ...asked })
    const url = licenceUrl(playready, publicUrl, { useHttps: asked.useHttps, host: plainHost(request) })
    return sendJson(reply, protectionOf(asked, { playready: url, clearKey: clearKeyUrl(playready, url) }))
  })
}

const BODY_REFUSALS: ReadonlyMap<number, string> = new Map([
  [400, 'The body is not JSON'],
  [415, 'The body must be application/json'],
])
