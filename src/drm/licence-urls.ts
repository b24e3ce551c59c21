import { TOKEN_NAME } from '../../schemas/licences.js'
import { licenceHostOf } from '../ground/real-hosts.js'
import { clearKey } from './clear-key.js'
import type { AnswerForm, IssuedToken, TokenFamily } from './family.js'

/** Where clients reach this service. */
export interface ReachedAt {
  /** Without one it is the host that the request was sent to. */
  readonly publicUrl: URL | undefined
  readonly ports: OwnPorts
}

/** The ports that this service listens on; each is known when it listens. */
export interface OwnPorts {
  plain?: number
  tls?: number
}

export interface Addressed {
  /** What the request says about the scheme. */
  readonly useHttps: boolean | undefined
  /** The host that the client addressed, as its Host header says. */
  readonly host: string
  /** Whether it came over TLS, as far as we or a trusted proxy know. */
  readonly isSecure: boolean
}

/**
 * The licence URL of a token: at `PUBLIC_URL`; without one at the host that the request was sent to, or at the licence
 * host of that name. `useHttps` decides the scheme, then `PUBLIC_URL`, then the DRM: some have https where we are reached
 * over TLS.
 */
export function licenceUrl(
  { licenceHost: { label, scheme: usual }, licences }: TokenFamily,
  { publicUrl, ports }: ReachedAt,
  { useHttps, host, isSecure }: Addressed,
): string {
  const asReached = isSecure ? 'https:' : 'http:'
  const unsaid = publicUrl?.protocol ?? (usual === 'as reached' ? asReached : usual)
  const scheme = useHttps === undefined ? unsaid : useHttps ? 'https:' : 'http:'
  const reached = licenceHostOf(withPortFor(host, isSecure, scheme === 'https:', ports), label)
  const base = publicUrl === undefined ? reached : `${publicUrl.host}${publicUrl.pathname}`
  return `${scheme}//${base.replace(/\/$/, '')}${licences.path}`
}

/** A host that names the port of one of our listeners, with that of the other where the scheme is the other's. */
function withPortFor(host: string, isFromTls: boolean, isToTls: boolean, { plain, tls }: OwnPorts): string {
  if (isFromTls === isToTls || plain === undefined || tls === undefined) return host
  const [from, to] = isToTls ? [`:${plain}`, `:${tls}`] : [`:${tls}`, `:${plain}`]
  return host.endsWith(from) ? host.slice(0, -from.length) + to : host
}

/** A licence URL with its token in this parameter. It may have a query already; its fragment is dropped. */
export function urlWithToken({ licenseAcquisitionUrl, token }: IssuedToken, parameter = TOKEN_NAME): string {
  const [url = ''] = licenseAcquisitionUrl.split('#', 1)
  return `${url}${url.includes('?') ? '&' : '?'}${parameter}=${encodeURIComponent(token)}`
}

/** The reverse of `urlWithToken`: `undefined` for anything but one URL with one token. */
export function tokenOfUrl(text: string, parameter = TOKEN_NAME): IssuedToken | undefined {
  const [, place, query = ''] = /^(https?:\/\/[^\s?#]+)\?([^\s#]+)(?:#\S*)?$/i.exec(text.trim()) ?? []
  const parts = query.split('&')
  const [named, ...more] = parts.filter(part => part.startsWith(`${parameter}=`))
  if (place === undefined || named === undefined || more.length > 0) return undefined
  const others = parts.filter(part => part !== named)
  const token = decoded(named.slice(parameter.length + 1))
  const licenseAcquisitionUrl = others.length === 0 ? place : `${place}?${others.join('&')}`
  return token === undefined ? undefined : { licenseAcquisitionUrl, token }
}

/** `undefined` for invalid escapes. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** Where Clear Key clients reach the service that has this licence URL for a family's own clients. */
export function clearKeyUrl({ licences }: TokenFamily, licenceUrl: string): string {
  return licenceUrl.replace(licences.path, clearKey.path)
}

/** An answer of one URL, that a player can use as it is. */
export const oneUrl: AnswerForm = {
  contentType: 'text/uri-list',
  text: issued => urlWithToken(issued),
  read: tokenOfUrl,
}
