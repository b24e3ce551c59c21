import type { FastifyInstance } from 'fastify'
import { readPsshRequest } from '../schemas/pssh.js'
import { clearKeyUrl, licenceUrl } from '../src/drm/licence-urls.js'
import { playready } from '../src/drm/playready.js'
import { plainHost } from '../src/http/addressed-host.js'
import { sendJson } from '../src/http/answers.js'
import { jsonErrors } from '../src/http/error-forms.js'
import { readJsonBodies } from '../src/http/json-bodies.js'
import { useErrorForm } from '../src/http/unknown-paths.js'
import { protectionOf } from '../src/pssh/protection.js'

export interface ToolRoutesOptions {
  /** Where clients reach us; without one it is the host that the request was sent to. */
  readonly publicUrl: URL | undefined
}

/** `/tools`: help for those who package and play. Nothing secret is answered, so nobody has to say who they are. */
export async function toolRoutes(app: FastifyInstance, { publicUrl }: ToolRoutesOptions): Promise<void> {
  useErrorForm(app, jsonErrors)
  readJsonBodies(app)

  // Nothing changes.
  app.post('/pssh', { config: { isOpenToOtherSites: true } }, async (request, reply) => {
    const asked = readPsshRequest(request.body)
    const url = licenceUrl(playready, publicUrl, { useHttps: asked.useHttps, host: plainHost(request) })
    return sendJson(reply, protectionOf(asked, { playready: url, clearKey: clearKeyUrl(playready, url) }))
  })
}
