import type { FastifyInstance } from 'fastify'
import { psshAnswer, psshRequest, readPsshRequest } from '../schemas/pssh.js'
import type { ReachedAt } from '../src/drm/licence-urls.js'
import { playerLicenceUrls } from '../src/drm/player-licence-urls.js'
import { plainHost } from '../src/ground/real-hosts.js'
import { JSON_TYPE, sendJson } from '../src/http/answers.js'
import { jsonErrors } from '../src/http/error-forms.js'
import { answerWithFinalSlash } from '../src/http/final-slash.js'
import { readJsonBodies } from '../src/http/json-bodies.js'
import { json, type Operation } from '../src/http/operation.js'
import { useErrorForm } from '../src/http/unknown-paths.js'
import { protectionOf } from '../src/pssh/protection.js'

export interface ToolRoutesOptions {
  readonly reachedAt: ReachedAt
}

/** `/tools`: help for packaging and playback. Nothing secret is answered, so no credentials are needed. */
export async function toolRoutes(app: FastifyInstance, { reachedAt }: ToolRoutesOptions): Promise<void> {
  useErrorForm(app, jsonErrors)
  readJsonBodies(app)

  answerWithFinalSlash(app)

  // Nothing changes.
  app.post('/pssh', { config: { isOpenToOtherSites: true }, schema: PSSH }, async (request, reply) => {
    const asked = readPsshRequest(request.body)
    const urls = playerLicenceUrls(reachedAt, {
      useHttps: asked.useHttps,
      host: plainHost(request),
      isSecure: request.protocol === 'https',
    })
    return sendJson(reply, protectionOf(asked, urls))
  })
}

const PSSH: Operation = {
  operationId: 'makePssh',
  tags: ['tools'],
  summary: 'PlayReady header, pssh boxes, DASH elements and HLS lines for keys.',
  reads: { body: { required: true, content: { [JSON_TYPE]: { schema: psshRequest } } } },
  sample: { body: { scheme: 'cenc', keys: [{ kid: 'b366360da82e9c6e0b0984002a362cf2' }] } },
  answers: { 200: json('For each key, and for several in one.', psshAnswer) },
  refuses: {
    400: 'The body is not JSON, or a field of it is wrong.',
    413: 'The body is too large.',
    415: 'The body is not JSON.',
  },
}
