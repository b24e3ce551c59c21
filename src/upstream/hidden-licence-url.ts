import type { Logger } from 'pino'
import type { LicenceServers } from '../config/settings-upstream.js'
import { licenceUrl } from '../drm/licence-urls.js'
import { StatusError } from '../errors/public-error.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { environmentOfHost } from '../ground/real-hosts.js'
import type { TokenOrder } from '../tokens/issuer.js'

export type LicenceUrl = (
  upstreamUrl: string,
  order: Pick<TokenOrder, 'environment' | 'family' | 'host' | 'useHttps'>,
) => string

/** The URL that the upstream told. */
export const asTold: LicenceUrl = upstreamUrl => upstreamUrl

export interface HiddenUrlParts extends OurPlace {
  readonly licences: Readonly<Record<Environment, LicenceServers>>
  readonly logger: Logger
}

interface OurPlace {
  /** Where clients reach us; without one it is the host that the request was sent to. */
  readonly publicUrl: URL | undefined
  /** The environment of a host that names none. */
  readonly environment: Environment
}

/** Our URL in place of the upstream's, from which key requests are forwarded to it. */
export function hidden({ licences, logger, ...place }: HiddenUrlParts): LicenceUrl {
  const strangers = new Set<string>()
  return (upstreamUrl, order) => {
    const url = new URL(upstreamUrl)
    const query = queryOf(upstreamUrl)
    // The credit is spent and the player must work, so what we would not forward to is told as it is.
    const { family, environment } = order
    if (!leadsTo(url, licences[environment][family.drm], family.licences.path) || namesEnvironment(query)) {
      if (!strangers.has(url.host)) {
        if (strangers.size < MOST_STRANGERS) strangers.add(url.host)
        logger.warn({ host: url.host }, 'the upstream names a licence URL that cannot be hidden')
      }
      return upstreamUrl
    }
    return withEnvironment(licenceUrl(family, place.publicUrl, order) + query, environment, place, order.host)
  }
}

/** The same for recorded URLs: nothing is forwarded, and nobody knows what the licence hosts were. */
export function hiddenInReplay(place: OurPlace): LicenceUrl {
  return (upstreamUrl, order) => {
    const query = queryOf(upstreamUrl)
    const { pathname } = new URL(upstreamUrl)
    const { path } = order.family.licences
    const licences = licenceUrl(order.family, place.publicUrl, order)
    if (namesEnvironment(query)) return upstreamUrl
    const ours = pathname.endsWith(path) ? licences : licences.slice(0, -path.length) + pathname
    return withEnvironment(ours + query, order.environment, place, order.host)
  }
}

function queryOf(url: string): string {
  return url.replace(/^[^?#]*|#.*$/gs, '')
}

function withEnvironment(url: string, environment: Environment, place: OurPlace, host: string): string {
  if (environmentOfHost(place.publicUrl?.host ?? host, place.environment) === environment) return url
  return `${url}${url.includes('?') ? '&' : '?'}${ENVIRONMENT_NAME}=${environment}`
}

/** An upstream that names another host each time must not fill the memory. */
const MOST_STRANGERS = 100

/** Whether it is what key requests are forwarded to. The scheme is the caller's choice (`useHttps`). */
function leadsTo(url: URL, base: URL | undefined, path: string): boolean {
  if (base === undefined) return false
  return url.host === base.host && url.pathname === base.pathname.replace(/\/+$/, '') + path
}

/** What a hidden licence URL says where its host would be taken for the other environment. */
const ENVIRONMENT_NAME = 'environment'

/** Takes the environment out of a query, and leaves every other byte of it where it was. */
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
