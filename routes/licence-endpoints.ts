import cors from '@fastify/cors'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RawParameters } from '../schemas/sorting.js'
import type { Families } from '../src/drm/families.js'
import type { LicenceFamily } from '../src/drm/family.js'
import { EntitlementDenied } from '../src/errors/entitlement-denied.js'
import { PublicError } from '../src/errors/public-error.js'
import { jsonErrors, soapErrors } from '../src/http/error-forms.js'
import { answerWithFinalSlash } from '../src/http/final-slash.js'
import { LIMIT_HEADERS } from '../src/http/limiting.js'
import { useErrorForm } from '../src/http/unknown-paths.js'
import type { Metrics } from '../src/metrics.js'
import { licenceOperation } from './licence-operation.js'

export interface LicenceEndpointsOptions {
  readonly families: Families
  readonly metrics: Metrics
  /** The sites whose players may come here. */
  readonly origins: '*' | readonly string[]
  /** Headers that their pages may read, beside those of every server. */
  readonly exposedHeaders: readonly string[]
  /** Whether the bodies go to another server as they are. */
  readonly forwardsBodies?: boolean
}

export type KeyRequest = FastifyRequest<{ Querystring: RawParameters; Body: Buffer | undefined }>
export type KeyRequestHandler = (request: KeyRequest, reply: FastifyReply) => Promise<FastifyReply>

/** Each in a prefix of its own, for which unknown paths are answered as players expect it. */
function prefixAndPaths(path: string): { prefix: string; paths: readonly string[] } {
  // The final slash is the documented form, and easily lost.
  if (path.endsWith('/')) return { prefix: path.slice(0, -1), paths: ['', '/'] }
  const end = path.lastIndexOf('/')
  return { prefix: path.slice(0, end), paths: [path.slice(end)] }
}

/** Where players post their key requests (spec: licence.md); a family without a handler has no endpoint. */
export async function licenceEndpoints(
  app: FastifyInstance,
  options: LicenceEndpointsOptions,
  handlerOf: (family: LicenceFamily) => KeyRequestHandler | undefined,
): Promise<void> {
  for (const family of options.families.licences) {
    const handler = handlerOf(family)
    if (handler === undefined) continue
    for (const path of [family.path, ...(family.aliases ?? [])]) {
      const { prefix, paths } = prefixAndPaths(path)
      const isAlias = path !== family.path
      await app.register(app => licenceEndpoint(app, { paths, isAlias }, family, handler, options), { prefix })
    }
  }
}

const ERROR_FORMS = { json: jsonErrors, soap: soapErrors } as const

async function licenceEndpoint(
  app: FastifyInstance,
  { paths, isAlias }: { readonly paths: readonly string[]; readonly isAlias: boolean },
  family: LicenceFamily,
  handler: KeyRequestHandler,
  { metrics, origins, exposedHeaders, forwardsBodies }: LicenceEndpointsOptions,
): Promise<void> {
  await admitOrigins(app, { origins, exposedHeaders })
  takeAnyBody(app)
  // What is said of paths and methods; to a key request each family answers in its own form.
  useErrorForm(app, jsonErrors)
  if (!paths.includes('/')) answerWithFinalSlash(app)
  for (const url of paths)
    app.route<{ Querystring: RawParameters; Body: Buffer | undefined }>({
      method: family.answersGet ? ['GET', 'POST'] : 'POST',
      url,
      exposeHeadRoute: false,
      prefixTrailingSlash: 'slash',
      schema: isAlias ? { hide: true } : licenceOperation(family),
      config: {
        isOpenToOtherSites: true,
        endpoint: { kind: 'licence', family },
        takesAnyCoding: forwardsBodies === true,
        errorForm: ERROR_FORMS[family.refusals],
      },
      handler,
      onError: async (_request, _reply, error: Error) => {
        if (error instanceof PublicError) metrics.redemptionRefused(family.drm, countedAs(error))
      },
    })
}

/** A number that the upstream chooses is no label. */
function countedAs(error: PublicError): number {
  return error instanceof EntitlementDenied && error.isOfService ? error.status : error.code
}

/** Refusals among the answers: without these headers a player can't see why it was refused. */
async function admitOrigins(
  app: FastifyInstance,
  { origins, exposedHeaders }: Pick<LicenceEndpointsOptions, 'origins' | 'exposedHeaders'>,
): Promise<void> {
  await app.register(cors, {
    origin: origins === '*' ? '*' : [...origins],
    methods: ['POST'],
    exposedHeaders: ['x-request-id', 'retry-after', ...LIMIT_HEADERS, ...exposedHeaders],
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
