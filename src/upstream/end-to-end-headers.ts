import { isIP } from 'node:net'
import { HOP_BY_HOP } from '../ground/hop-by-hop.js'

/** Headers as received: names and values alternate. */
export type RawHeaders = readonly string[]

/**
 * The player's headers for a licence server. All others are for us, or from proxies in front of us, which have too many
 * ways to name a sender or to override the request line.
 */
const OF_THE_PLAYER = names(
  'content-type content-encoding accept accept-encoding accept-language user-agent',
  'soapaction msprdrm_server_redirect_compat msprdrm_server_exception_compat expressplaytoken x-device-id',
)

/** Headers about the upstream host itself, headers that send players elsewhere, and headers that we set ourselves. */
const OF_THE_UPSTREAM = names(
  'set-cookie server date via x-powered-by www-authenticate location content-location refresh link alt-svc',
  'strict-transport-security clear-site-data content-security-policy report-to reporting-endpoints nel',
  'cache-control surrogate-control cdn-cache-control pragma expires age vary x-request-id x-content-type-options',
  'content-security-policy-report-only service-worker-allowed accept-ch',
)

/** Instructions to a proxy or browser, and our rate limit at the upstream, which does not concern players. */
const FOR_OTHERS =
  /^(?:access-control-|x-accel-|x-sendfile|x-lighttpd-send|x-litespeed-|x-reproxy-)|^(?:x-)?rate-?limit(?:-|$)/

/** The headers of a key request: the player's, those named in `more`, and the sender's address. */
export function forwardedHeaders(received: RawHeaders, address: string, more: ReadonlySet<string>): string[] {
  const headers = withoutHops(received).filter(([name]) => {
    const lowered = name.toLowerCase()
    return OF_THE_PLAYER.has(lowered) || more.has(lowered)
  })
  // A proxy in front of us may have passed on any text.
  return (isIP(address) === 0 ? headers : [...headers, ['x-forwarded-for', address]]).flat()
}

/** The headers that describe the answer itself. */
export function returnedHeaders(received: RawHeaders): string[] {
  return withoutHops(received)
    .filter(([name]) => {
      const meant = normalized(name)
      return !OF_THE_UPSTREAM.has(meant) && !FOR_OTHERS.test(meant)
    })
    .flat()
}

/** CGI and the like turn headers into variables, where `X_Real.IP` equals `X-Real-IP`. */
function normalized(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-')
}

function withoutHops(received: RawHeaders): [name: string, value: string][] {
  const headers = inPairs(received)
  const named = headers.flatMap(([name, value]) => (name.toLowerCase() === 'connection' ? value.split(',') : []))
  const ofThisHop = new Set(named.map(name => name.trim().toLowerCase()))
  // A Connection header must not remove the length of the message.
  ofThisHop.delete('content-length')
  return headers.filter(([name]) => !HOP_BY_HOP.has(normalized(name)) && !ofThisHop.has(name.toLowerCase()))
}

function inPairs(raw: RawHeaders): [name: string, value: string][] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as [string, string]] : [])) // a pair
}

function names(...lines: string[]): ReadonlySet<string> {
  return new Set(lines.flatMap(line => line.split(' ')))
}
