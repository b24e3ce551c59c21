import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type EntitlementAnswer, echoOf, readEntitlementRequest } from '../schemas/entitlement.js'
import type { Entitlements } from '../src/entitlement/entitlements.js'
import { EntitlementRefusal } from '../src/entitlement/refusals.js'
import { sendJson } from './answers.js'
import { tellingOf } from './limiting.js'

export interface EntitlementRoutesOptions {
  readonly entitlements: Entitlements
  /** Where the licence endpoints are when a request came to this host. */
  readonly licenceHost: (request: FastifyRequest) => string
}

/** `POST /entitlement` (spec: sees.md). */
export async function entitlementRoutes(app: FastifyInstance, options: EntitlementRoutesOptions): Promise<void> {
  const { entitlements, licenceHost } = options
  readJson(app)
  app.post('/entitlement', async (request, reply) => {
    const asked = readEntitlementRequest(request.body)
    if ('field' in asked) throw new EntitlementRefusal('field', { status: 400, details: asked.message })
    const epTokenURL = await entitlements.decide(asked, {
      requestId: request.id,
      host: licenceHost(request),
      tell: tellingOf(reply),
    })
    const answer: EntitlementAnswer = {
      ...echoOf(request.body),
      isAllowed: true,
      epTokenURL,
      error: 0,
      errorText: '',
    }
    return sendJson(reply, answer)
  })
}

/** Whatever its content type says: who asks here speaks nothing else. */
function readJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, async (_request: FastifyRequest, text: string) => parsed(text))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The text of a JSON error quotes the body.
    throw new EntitlementRefusal('notJson', { status: 400 })
  }
}
