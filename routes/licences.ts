import cors from '@fastify/cors'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { DEVICE_HEADER, readDeviceId, TOKEN_NAME } from '../schemas/licences.js'
import type { RawParameters } from '../schemas/sorting.js'
import { PublicError } from '../src/errors.js'
import { clearKey } from '../src/licences/clear-key.js'
import type { LicenceFamily } from '../src/licences/family.js'
import { playready } from '../src/licences/playready.js'
import { fairplay, widevine } from '../src/licences/stand-in.js'
import type { Metrics } from '../src/metrics.js'
import type { TokenRedemption } from '../src/tokens/redeem.js'
import { sendAs } from './answers.js'
import { refuseUnknown } from './methods.js'

export interface LicenceRoutesOptions {
  readonly redemption: TokenRedemption
  readonly metrics: Metrics
  /** The sites whose players may come here. */
  readonly origins: '*' | readonly string[]
  /** Whether a header may say which device a request comes from. */
  readonly believesDeviceHeader: boolean
}

/** The final slash is the documented form, and easily lost. */
const WITH_AND_WITHOUT_SLASH = ['', '/']

const ENDPOINTS: readonly (readonly [prefix: string, paths: readonly string[], family: LicenceFamily])[] = [
  ['/hms/ck/rights', WITH_AND_WITHOUT_SLASH, clearKey],
  ['/hms/wv/rights', WITH_AND_WITHOUT_SLASH, widevine],
  ['/hms/fp/rights', WITH_AND_WITHOUT_SLASH, fairplay],
  ['/playready', ['/RightsManager.asmx'], playready],
]

/** Where players post their key requests (spec: licence.md). */
export async function licenceRoutes(app: FastifyInstance, options: LicenceRoutesOptions): Promise<void> {
  for (const [prefix, paths, family] of ENDPOINTS)
    await app.register(app => licenceEndpoint(app, paths, family, options), { prefix })
}

type Handled = FastifyRequest<{ Querystring: RawParameters; Body: Buffer | undefined }>

async function licenceEndpoint(
  app: FastifyInstance,
  paths: readonly string[],
  family: LicenceFamily,
  { redemption, metrics, origins, believesDeviceHeader }: LicenceRoutesOptions,
): Promise<void> {
  await admitOrigins(app, origins)
  takeAnyBody(app)
  refuseInJson(app)

  async function answer(request: Handled, reply: FastifyReply): Promise<FastifyReply> {
    const challenge = family.read(request.body ?? Buffer.alloc(0))
    const stated = believesDeviceHeader ? readDeviceId(request.headers[DEVICE_HEADER]) : undefined
    const redeemed = await redemption.redeem({
      drm: family.drm,
      tokens: tokensOf(request, challenge.tokens ?? []),
      asked: challenge.asked,
      address: request.ip,
      deviceId: stated ?? challenge.deviceId,
      requestId: request.id,
    })
    metrics.tokenRedeemed(family.drm, redeemed.token.environment)
    const { contentType, text } = challenge.licence(redeemed)
    return sendAs(reply, contentType, text)
  }

  for (const url of paths)
    app.route<{ Querystring: RawParameters; Body: Buffer | undefined }>({
      method: 'POST',
      url,
      prefixTrailingSlash: 'slash',
      onRequest: (_request, reply, next) => {
        reply.errorFormat = family.refusals
        next()
      },
      handler: answer,
      onError: async (_request, _reply, error: Error) => {
        if (error instanceof PublicError) metrics.redemptionRefused(family.drm, error.code)
      },
    })
}

/** Every place that may hold a token, as far as it holds one. */
function tokensOf({ query, headers }: Handled, inChallenge: readonly string[]): string[] {
  // The same header twice comes as one text with a comma.
  const inHeader = headers[TOKEN_NAME.toLowerCase()]?.toString().split(',')
  return [query[TOKEN_NAME], inHeader, ...inChallenge]
    .flat()
    .map(token => token?.trim() ?? '')
    .filter(token => token !== '')
}

/** Refusals among the answers: without these headers a player can't see why it was refused. */
async function admitOrigins(app: FastifyInstance, origins: LicenceRoutesOptions['origins']): Promise<void> {
  await app.register(cors, {
    origin: origins === '*' ? '*' : [...origins],
    methods: ['POST'],
    exposedHeaders: ['x-request-id'],
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false,
  })
}

/** As long as browsers keep one at most. */
const PREFLIGHT_SECONDS = 7200

/** Players send any content type or none, whatever they post; so it says nothing, even where it is malformed. */
function takeAnyBody(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, next) => {
    request.headers['content-type'] = undefined
    next()
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
}

/** What is said of paths and methods that are none; to a key request each family answers in its own form. */
function refuseInJson(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, next) => {
    reply.errorFormat = 'json'
    next()
  })
  app.setNotFoundHandler(refuseUnknown(app))
}
