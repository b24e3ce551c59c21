import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { StatusError } from '../errors/public-error.js'
import { hostnameIn, maybeRebound } from '../ground/local-hosts.js'
import { isUnknown } from './unknown-paths.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether pages of every site may send requests here. */
    isOpenToOtherSites?: boolean
    /** Whether a GET changes something, too. */
    changesOnGet?: boolean
  }
}

export interface CrossSiteOptions {
  /** The sites whose pages may change something. `*` opens what is open to players, and nothing else. */
  readonly origins: '*' | readonly string[]
  readonly publicUrl?: URL | undefined
  /** Where only this machine can connect: the names, beside the usual ones, under which that is meant to be done. */
  readonly localNames?: readonly string[] | undefined
}

/**
 * A page in a user's browser can send requests to wherever that browser can connect. This refuses requests from pages of
 * other sites that would change something. On a server that only this machine can reach, it also refuses requests under a
 * name that merely resolves to it (DNS rebinding). Other clients send none of the headers that this checks.
 */
export const crossSite = fp(async (app: FastifyInstance, options: CrossSiteOptions) => {
  const { origins, publicUrl, localNames } = options
  const publicHost = publicUrl?.host
  const ourNames = new Set(localNames)
  if (publicUrl !== undefined) ourNames.add(publicUrl.hostname)

  // Not before every plugin has said in which form its endpoints refuse.
  app.addHook('preParsing', (request, _reply, _payload, next) => {
    const { headers } = request
    const { origin } = headers
    if (origin === undefined && headers['sec-fetch-site'] === undefined && headers['accept-language'] === undefined)
      return next()
    const { isOpenToOtherSites, changesOnGet } = request.routeOptions.config
    if (isOpenToOtherSites === true || isUnknown(request)) return next()
    if (localNames !== undefined && isRebound(request, ourNames))
      return next(
        refused('This server is for its own machine, under names of that: ADMIN_HOSTS may add the one in Host'),
      )
    const isChange = changesOnGet === true || !SAFE_METHODS.has(request.method)
    if (isChange && isOfAnotherSite(request, publicHost) && !isAllowed(origin, origins))
      return next(refused('Pages of other sites may not do this: CORS_ORIGINS may allow the origin'))
    next()
  })
})

function refused(message: string): StatusError {
  return new StatusError(403, message)
}

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Where a browser says nothing of the site, it names the origin. Both are what no page can forge. */
function isOfAnotherSite({ headers, host }: FastifyRequest, publicHost: string | undefined): boolean {
  const { origin, 'sec-fetch-site': site } = headers
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  if (origin === undefined) return false
  const from = origin.toLowerCase().replace(/^https?:\/\//, '')
  return from !== headers.host?.toLowerCase() && from !== host.toLowerCase() && from !== publicHost
}

function isAllowed(origin: string | undefined, origins: CrossSiteOptions['origins']): boolean {
  return origin !== undefined && origins !== '*' && origins.includes(origin)
}

/**
 * A page under such a name is plain HTTP, where browsers send no Sec-Fetch headers, and asks its own origin, where GET
 * has no Origin. But no page can leave Accept-Language out. Node's fetch sends that as well, with a Sec-Fetch header.
 */
function isRebound({ headers }: FastifyRequest, ourNames: ReadonlySet<string>): boolean {
  if (headers['sec-fetch-site'] !== undefined || headers['sec-fetch-mode'] !== undefined) return false
  const name = hostnameIn(headers.host ?? '')
  return maybeRebound(name) && !ourNames.has(name)
}
