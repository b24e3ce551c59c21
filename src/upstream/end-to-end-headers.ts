import { isIP } from 'node:net'
import { HOP_BY_HOP } from '../ground/hop-by-hop.js'

/** Headers as they stood on the wire: names and values in turn. */
export type RawHeaders = readonly string[]

/**
 * What players have to say to a licence server. All else is said to us or by proxies before us, which have too many ways
 * to name a sender or another request line.
 */
const OF_THE_PLAYER = names(
  'content-type content-encoding accept accept-encoding accept-language user-agent',
  'soapaction msprdrm_server_redirect_compat msprdrm_server_exception_compat expressplaytoken x-device-id',
)

/** What holds for the host that says it, sends players elsewhere, or is for us to say. */
const SAID_OF_THE_UPSTREAM = names(
  'set-cookie server date via x-powered-by www-authenticate location content-location refresh link alt-svc',
  'strict-transport-security clear-site-data content-security-policy report-to reporting-endpoints nel',
  'cache-control surrogate-control cdn-cache-control pragma expires age vary x-request-id x-content-type-options',
  'content-security-policy-report-only service-worker-allowed accept-ch',
)

/** Orders to the proxy or browser that reads it, and where we stand with the upstream, which is no matter of players. */
const FOR_OTHERS =
  /^(?:access-control-|x-accel-|x-sendfile|x-lighttpd-send|x-litespeed-|x-reproxy-)|^(?:x-)?rate-?limit(?:-|$)/

/** The headers of a key request: the player's and those of `more` names, and what we know of the sender. */
export function forwardedHeaders(received: RawHeaders, address: string, more: ReadonlySet<string>): string[] {
  const headers = withoutHops(received).filter(([name]) => {
    const lowered = name.toLowerCase()
    return OF_THE_PLAYER.has(lowered) || more.has(lowered)
  })
  // A proxy before us may have passed on any text.
  return (isIP(address) === 0 ? headers : [...headers, ['x-forwarded-for', address]]).flat()
}

/** The headers of an answer that are about the answer. */
export function returnedHeaders(received: RawHeaders): string[] {
  return withoutHops(received)
    .filter(([name]) => {
      const meant = asMeant(name)
      return !SAID_OF_THE_UPSTREAM.has(meant) && !FOR_OTHERS.test(meant)
    })
    .flat()
}

/** Where headers become variables, as in CGI, `X_Real.IP` is the same as `X-Real-IP`. */
function asMeant(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-')
}

function withoutHops(received: RawHeaders): [name: string, value: string][] {
  const headers = inPairs(received)
  const named = headers.flatMap(([name, value]) => (name.toLowerCase() === 'connection' ? value.split(',') : []))
  const ofThisHop = new Set(named.map(name => name.trim().toLowerCase()))
  // What gives the answer its length may not be denied by what it calls a matter of the connection.
  ofThisHop.delete('content-length')
  return headers.filter(([name]) => !HOP_BY_HOP.has(asMeant(name)) && !ofThisHop.has(name.toLowerCase()))
}

function inPairs(raw: RawHeaders): [name: string, value: string][] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as [string, string]] : [])) // a pair
}

function names(...lines: string[]): ReadonlySet<string> {
  return new Set(lines.flatMap(line => line.split(' ')))
}
