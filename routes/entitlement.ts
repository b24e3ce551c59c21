import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import {
  type EntitlementAnswer,
  type EntitlementRequest,
  echoOf,
  entitlementAnswer,
  entitlementRequest,
  readEntitlementRequest,
  type UnknownVersion,
} from '../schemas/entitlement.js'
import type { Entitlements } from '../src/entitlement/entitlements.js'
import { documentedRefusals, EntitlementRefusal } from '../src/errors/entitlement-refusal.js'
import { JSON_TYPE, sendJson } from '../src/http/answers.js'
import { answerWithFinalSlash } from '../src/http/final-slash.js'
import { readJsonBodies } from '../src/http/json-bodies.js'
import { rateLimitReporter } from '../src/http/limiting.js'
import { json, type Operation } from '../src/http/operation.js'

export interface EntitlementRoutesOptions {
  readonly entitlements: Entitlements
  /** Whose tokens are given out. */
  readonly customerId: number
  /** Where the licence endpoints are when a request came to this host. */
  readonly licenceHost: (request: FastifyRequest) => string
}

/** `POST /entitlement` (spec: sees.md), in an application where there is nothing else. */
export const entitlementRoutes = fp(async (app: FastifyInstance, options: EntitlementRoutesOptions) => {
  const { entitlements, customerId, licenceHost } = options
  readJsonBodies(app, { isLenient: true, refusal: () => new EntitlementRefusal('notJson') })
  answerWithFinalSlash(app)
  const config = { endpoint: { kind: 'entitlement', customerId } } as const
  for (const [path, operationId] of PATHS) app.post(path, { config, schema: { ...OPERATION, operationId } }, decide)

  async function decide(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (request.body === undefined) throw new EntitlementRefusal('notJson')
    const asked = readEntitlementRequest(request.body)
    reply.asked = askedOf(asked)
    const epTokenURL = await entitlements.decide(asked, {
      requestId: request.id,
      host: licenceHost(request),
      reportRateLimit: rateLimitReporter(reply),
      trace: request.trace,
    })
    const { messageID, version } = echoOf(request.body)
    const answer: EntitlementAnswer = { messageID, version, isAllowed: true, epTokenURL, error: 0, errorText: '' }
    return sendJson(reply, answer)
  }
})

/** The second is where a published sample for iOS posts to. */
const PATHS = [
  ['/entitlement', 'askEntitlement'],
  ['/sees/SEESServlet', 'askSeesServlet'],
] as const

/** Identifies a decision in the log; nothing secret. */
function askedOf(asked: EntitlementRequest | UnknownVersion): FastifyReply['asked'] {
  if ('unknownVersion' in asked) return { version: asked.unknownVersion }
  const { messageID, requestType, contentID } = asked
  return { messageID, requestType, contentID }
}

const OPERATION: Omit<Operation, 'operationId'> = {
  tags: ['entitlement'],
  summary: 'Whether a viewer may have a key.',
  security: [{ clientCertificate: [] }],
  reads: { body: { required: true, content: { [JSON_TYPE]: { schema: entitlementRequest } } } },
  sample: {
    body: {
      messageID: 'b9ed7ba1-1d94-4f6b-a0a4-6a7c1d3e2f10',
      version: 1,
      requestType: 1,
      contentID: '3f2504e0-4f89-11d3-9a0c-0305e82c3301',
      customerCookie: 'viewer-4711',
    },
  },
  answers: {
    200: json(
      withNumbers('The decision: the token URL, or why not. Below 0 it is the token that cannot be issued.', 200),
      entitlementAnswer,
    ),
  },
  refuses: {
    400: withNumbers('The request cannot be read.', 400),
    403: withNumbers('Who asks is not let in.', 403),
    404: 'There is nothing here but `POST /entitlement`.',
    405: 'The method is not POST.',
    413: 'The body is too large.',
    429: 'Too many requests a minute.',
    500: 'An unforeseen fault of the service; nothing was issued.',
    502: 'A gateway got no answer from the real service (-2030).',
    503: withNumbers('A fault of the service; -2030 where it has no number of its own.', 503),
    504: 'A gateway got no answer in time (-2030).',
  },
}

/** With the refusals that are answered with this status. */
function withNumbers(description: string, status: number): string {
  const refusals = documentedRefusals.filter(refusal => refusal.status === status)
  return [description, ...refusals.map(({ number, text }) => `- \`${number}\` ${text}`)].join('\n')
}
