import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { TokenAnswer } from '../schemas/answers.js'
import { IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, readIdempotencyKey } from '../schemas/idempotency.js'
import type { RawParameters } from '../schemas/sorting.js'
import { accepts, checkErrorFormat } from '../schemas/token-request.js'
import { PublicError } from '../src/errors/public-error.js'
import type { Environment } from '../src/ground/environment.js'
import { environmentOfHost, plainHost } from '../src/ground/real-hosts.js'
import { sendAs } from '../src/http/answers.js'
import { answerWithFinalSlash } from '../src/http/final-slash.js'
import { rateLimitReporter } from '../src/http/limiting.js'
import type { Issuing } from '../src/issuing-parts.js'
import type { Metrics } from '../src/metrics.js'
import { playerConfigOf } from '../src/player-configurations.js'
import type { TokenRequests } from '../src/tokens/token-requests.js'
import { ASSUMED, tokenOperation } from './token-operation.js'

export interface TokenRoutesOptions {
  readonly requests: TokenRequests
  readonly metrics: Metrics
  /** The environment of a request whose Host header names none. */
  readonly environment: Environment
  /** Where Clear Key clients redeem a token with this licence URL; `undefined` if the service has no Clear Key. */
  readonly clearKeyUrl: Issuing['clearKeyUrl']
  /** Without it the header means nothing. */
  readonly readsIdempotencyKey: boolean
}

const KEY_HEADER = IDEMPOTENCY_KEY.toLowerCase()

type Handled = FastifyRequest<{ Querystring: RawParameters; Body: RawParameters | undefined }>

/** `/hms/pr/token` and its like: the licence tokens of one DRM. */
export async function tokenRoutes(app: FastifyInstance, options: TokenRoutesOptions): Promise<void> {
  const { requests, metrics, readsIdempotencyKey } = options
  const { family } = requests

  answerWithFinalSlash(app)

  async function answer(request: Handled, reply: FastifyReply): Promise<FastifyReply> {
    checkErrorFormat(request.query, request.body)
    const { schema } = requests
    const parameters = schema.sort(request.query, request.body)
    if (parameters.ignored.size > 0) reply.header('x-ignored-parameters', schema.describeIgnored(parameters))
    const host = plainHost(request)
    const environment = environmentOfHost(host, options.environment)
    const { trace } = request
    if (trace !== undefined) {
      trace.drm = family.drm
      trace.environment = environment
    }
    const idempotencyKey = readsIdempotencyKey ? readIdempotencyKey(request.headers[KEY_HEADER]) : undefined
    const issued = await requests.answer({
      parameters,
      environment,
      host,
      isSecure: request.protocol === 'https',
      requestId: request.id,
      idempotencyKey,
      reportRateLimit: rateLimitReporter(reply),
      trace,
    })
    const assumed = requests.describeAssumed(parameters)
    if (assumed !== '') reply.header(ASSUMED, assumed)
    if (issued.isReplayed) reply.header(IDEMPOTENCY_REPLAYED, 'true')
    if (!accepts(request.headers.accept, 'application/json'))
      return sendAs(reply, family.answer.contentType, family.answer.text(issued, parameters.whole))
    const body: TokenAnswer = { licenseAcquisitionUrl: issued.licenseAcquisitionUrl, token: issued.token }
    if (schema.wantsPlayerConfig(parameters)) {
      const clearKeyUrl = options.clearKeyUrl(family, issued.licenseAcquisitionUrl, environment)
      body.playerConfig = playerConfigOf(issued, family, clearKeyUrl)
    }
    return sendAs(reply, 'application/json', JSON.stringify(body))
  }

  app.route<{ Querystring: RawParameters; Body: RawParameters | undefined }>({
    method: ['GET', 'POST'],
    url: family.tokenPath,
    exposeHeadRoute: false, // it would cost a token
    config: { changesOnGet: true, endpoint: { kind: 'token', family, requests } },
    schema: tokenOperation(family),
    handler: answer,
    onError: async (_request, _reply, error: Error) => {
      if (error instanceof PublicError) metrics.tokenRefused(family.drm, error.code)
    },
  })
}
