import type { HostsByKind } from '../config/settings-upstream.js'
import type { LicenceFamily } from '../drm/family.js'
import { licenceUrl, type ReachedAt } from '../drm/licence-urls.js'
import { StatusError } from '../errors/public-error.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import type { Logger } from '../ground/logger.js'
import { environmentOfHost } from '../ground/real-hosts.js'
import type { TokenOrder } from '../tokens/issuer.js'

export type LicenceUrl = (
  upstreamUrl: string,
  order: Pick<TokenOrder, 'environment' | 'family' | 'host' | 'isSecure' | 'useHttps'>,
) => string

/** The upstream's URL, unchanged. */
export const unhidden: LicenceUrl = upstreamUrl => upstreamUrl

export interface HiddenUrlParts extends PublicPlace {
  readonly licences: Readonly<Record<Environment, HostsByKind>>
  readonly logger: Logger
}

interface PublicPlace extends ReachedAt {
  /** The environment of a host that does not name one. */
  readonly environment: Environment
}

/** This service's URL in place of the upstream's. Its key requests are forwarded to the upstream. */
export function hidden({ licences, logger, ...place }: HiddenUrlParts): LicenceUrl {
  const unknownHosts = new Set<string>()
  return (upstreamUrl, order) => {
    const url = new URL(upstreamUrl)
    const query = queryOf(upstreamUrl)
    // The credit is spent and the player must work, so a URL outside the forwarding table stays unchanged.
    const { family, environment } = order
    if (!leadsTo(url, licences[environment].get(family.name), family.licences) || namesEnvironment(query)) {
      if (!unknownHosts.has(url.host)) {
        if (unknownHosts.size < MAX_UNKNOWN_HOSTS) unknownHosts.add(url.host)
        logger.warn({ host: url.host }, 'the upstream names a licence URL that cannot be hidden')
      }
      return upstreamUrl
    }
    return withEnvironment(licenceUrl(family, place, order) + query, environment, place, order.host)
  }
}

/** The same for recorded URLs: a replay forwards nothing, and no recording has the settings of the licence hosts. */
export function hiddenInReplay(place: PublicPlace): LicenceUrl {
  return (upstreamUrl, order) => {
    const query = queryOf(upstreamUrl)
    const { pathname } = new URL(upstreamUrl)
    const { licences } = order.family
    const url = licenceUrl(order.family, place, order)
    if (namesEnvironment(query)) return upstreamUrl
    const isOurs = pathsOf(licences).some(path => pathname.endsWith(path))
    const ours = isOurs ? url : url.slice(0, -licences.path.length) + pathname
    return withEnvironment(ours + query, order.environment, place, order.host)
  }
}

function queryOf(url: string): string {
  return url.replace(/^[^?#]*|#.*$/gs, '')
}

function withEnvironment(url: string, environment: Environment, place: PublicPlace, host: string): string {
  if (environmentOfHost(place.publicUrl?.host ?? host, place.environment) === environment) return url
  return `${url}${url.includes('?') ? '&' : '?'}${ENVIRONMENT_NAME}=${environment}`
}

/** An upstream with a new host in each answer must not fill the memory. */
const MAX_UNKNOWN_HOSTS = 100

/** Whether key requests are forwarded to this URL. The caller chooses the scheme (`useHttps`). */
function leadsTo(url: URL, base: URL | undefined, licences: LicenceFamily): boolean {
  if (base === undefined || hostOf(url) !== hostOf(base)) return false
  const prefix = base.pathname.replace(/\/+$/, '')
  return pathsOf(licences).some(path => url.pathname === prefix + path)
}

/** The documented sample of a FairPlay URL has port 80 with https (spec: fairplay.md). */
function hostOf({ host, hostname, port }: URL): string {
  return port === '80' || port === '443' ? hostname : host
}

/** The final slash is easily lost. */
function pathsOf({ path, aliases = [] }: LicenceFamily): readonly string[] {
  return [path, ...aliases].flatMap(one => (one.endsWith('/') ? [one, one.slice(0, -1)] : [one]))
}

/** Added to a hidden licence URL when its host would stand for the other environment. */
const ENVIRONMENT_NAME = 'environment'

/** Removes the environment from a query and leaves all other bytes in place. */
export function readEnvironment(query: string): {
  readonly environment: Environment | undefined
  readonly query: string
} {
  const parts = query.replace(/^\?/, '').split('&')
  const named = parts.filter(isEnvironment)
  if (named.length === 0) return { environment: undefined, query }
  const environment = ENVIRONMENTS.find(one => named.length === 1 && named[0] === `${ENVIRONMENT_NAME}=${one}`)
  if (environment === undefined) throw wrongEnvironment()
  const others = parts.filter(part => !isEnvironment(part))
  return { environment, query: others.length === 0 ? '' : `?${others.join('&')}` }
}

function namesEnvironment(query: string): boolean {
  return query.replace(/^\?/, '').split('&').some(isEnvironment)
}

function isEnvironment(part: string): boolean {
  return part.replace(/=.*$/s, '') === ENVIRONMENT_NAME
}

function wrongEnvironment(): StatusError {
  const message = `Invalid environment: it is one of ${ENVIRONMENTS.join(', ')}`
  return new StatusError(400, message, ENVIRONMENT_NAME)
}
