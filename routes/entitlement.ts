import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import {
  type EntitlementAnswer,
  type EntitlementRequest,
  echoOf,
  readEntitlementRequest,
  type UnknownVersion,
} from '../schemas/entitlement.js'
import type { Entitlements } from '../src/entitlement/entitlements.js'
import { EntitlementRefusal } from '../src/errors/entitlement-refusal.js'
import { sendJson } from '../src/http/answers.js'
import { readJsonBodies } from '../src/http/json-bodies.js'
import { tellingOf } from '../src/http/limiting.js'

export interface EntitlementRoutesOptions {
  readonly entitlements: Entitlements
  /** Where the licence endpoints are when a request came to this host. */
  readonly licenceHost: (request: FastifyRequest) => string
}

/** `POST /entitlement` (spec: sees.md), in an application where there is nothing else. */
export const entitlementRoutes = fp(async (app: FastifyInstance, options: EntitlementRoutesOptions) => {
  const { entitlements, licenceHost } = options
  readJsonBodies(app, { isLenient: true, refusal: () => new EntitlementRefusal('notJson') })
  app.post('/entitlement', async (request, reply) => {
    if (request.body === undefined) throw new EntitlementRefusal('notJson')
    const asked = readEntitlementRequest(request.body)
    reply.asked = askedOf(asked)
    const epTokenURL = await entitlements.decide(asked, {
      requestId: request.id,
      host: licenceHost(request),
      tell: tellingOf(reply),
    })
    const { messageID, version } = echoOf(request.body)
    const answer: EntitlementAnswer = { messageID, version, isAllowed: true, epTokenURL, error: 0, errorText: '' }
    return sendJson(reply, answer)
  })
})

/** What tells one decision from another, and is no secret. */
function askedOf(asked: EntitlementRequest | UnknownVersion): FastifyReply['asked'] {
  if ('unknownVersion' in asked) return { version: asked.unknownVersion }
  const { messageID, requestType, contentID } = asked
  return { messageID, requestType, contentID }
}
