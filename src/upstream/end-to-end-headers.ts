import { isIP } from 'node:net'

/** Headers as they stood on the wire: names and values in turn. */
export type RawHeaders = readonly string[]

/** Of one connection only (RFC 9110, 7.6.1), beside those that its Connection header names. */
const HOP_BY_HOP = names(
  'connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade',
  'http2-settings',
)

/** What is said to us and not to the licence server: by browsers, by proxies before us, and for our own guards. */
const SAID_TO_US = names(
  'host content-length expect cookie authorization origin access-control-request-method',
  'access-control-request-headers access-control-request-private-network via',
  // What some servers take for the request line.
  'x-http-method x-http-method-override x-method-override x-original-url x-rewrite-url x-host x-original-host',
)

/** What proxies and content networks say of the sender, and anybody can: X-Forwarded-For, True-Client-IP and their like. */
const OF_THE_SENDER =
  /^(?:x-)?(?:original-)?forwarded(?:-|$)|(?:client|connecting|real|remote|originating|user|socket|pseudo|external)-?(?:ip|addr|address)(?:v[46])?$/

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

/** The headers of a key request, with what we know of its sender in place of what it says itself. */
export function forwardedHeaders(received: RawHeaders, address: string): string[] {
  const headers = withoutHops(received).filter(([name]) => {
    const meant = asMeant(name)
    return !SAID_TO_US.has(meant) && !OF_THE_SENDER.test(meant)
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
