import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import type { Accounts } from '../src/accounts/authentication.js'
import { demoAccount } from '../src/accounts/demo-account.js'
import { TOKEN_FAMILIES } from '../src/drm/families.js'
import { orUnavailable } from '../src/errors/public-error.js'
import type { Environment } from '../src/ground/environment.js'
import { builtFile } from '../src/ground/own-package.js'
import { environmentOf } from '../src/ground/real-hosts.js'
import { sendAs } from '../src/http/answers.js'
import { sampleRequest } from '../src/sample.js'

export interface PlayerOptions {
  readonly accounts: Accounts
  /** The environment of a request whose Host header names none. */
  readonly environment: Environment
}

/** Its own scripts and nothing else's; manifests, media and licences from wherever they are. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  'connect-src http: https: blob: data:',
  'media-src http: https: blob:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** `/player`: a page that asks for a token, plays with it, and shows each step. */
export async function playerRoutes(app: FastifyInstance, { accounts, environment }: PlayerOptions): Promise<void> {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('content-security-policy', CONTENT_SECURITY_POLICY)
    reply.header('referrer-policy', 'no-referrer').header('x-content-type-options', 'nosniff')
  })
  // Asked for again each time, and answered with 304: a new version of this service must not meet old scripts.
  await app.register(fastifyStatic, { root: builtFile('web'), prefix: '/player/', index: false, maxAge: 0 })
  app.get('/player', { schema: { hide: true } }, (_request, reply) => reply.sendFile('index.html'))
  app.get('/player/', { schema: { hide: true } }, (_request, reply) => reply.redirect('../player'))

  /** The sample request of each DRM, with an authenticator only where its public one is known. */
  app.get('/player/samples', { schema: { hide: true } }, async (request, reply) => {
    const asked = environmentOf(request, environment)
    const customerAuthenticator = demoAccount.authenticators[asked]
    const isDemo = (await orUnavailable(accounts.authenticate(customerAuthenticator, asked))) !== undefined
    const samples = TOKEN_FAMILIES.map(family => ({
      title: family.title,
      // Against the base of the page, which may not be the root of its host.
      tokenPath: family.tokenPath.slice(1),
      parameters: { ...sampleRequest(family), customerAuthenticator: isDemo ? customerAuthenticator : '' },
    }))
    return sendAs(reply, 'application/json', JSON.stringify(samples))
  })
}
