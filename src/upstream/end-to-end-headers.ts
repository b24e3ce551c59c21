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
  'access-control-request-headers access-control-request-private-network forwarded via x-forwarded-for',
  'x-forwarded-host x-forwarded-port x-forwarded-proto x-forwarded-prefix x-forwarded-server x-real-ip',
)

/** What holds for the host that says it, sends players elsewhere, or is for us to say. */
const SAID_OF_THE_UPSTREAM = names(
  'set-cookie server date via x-powered-by www-authenticate location content-location refresh link alt-svc',
  'strict-transport-security clear-site-data content-security-policy report-to reporting-endpoints nel',
  'cache-control pragma expires age vary x-request-id x-content-type-options',
)

/** The headers of a key request, with what we know of its sender in place of what it says itself. */
export function forwardedHeaders(received: RawHeaders, address: string): string[] {
  const headers = withoutHops(received).filter(([name]) => !SAID_TO_US.has(name.toLowerCase()))
  return [...headers, ['x-forwarded-for', address]].flat()
}

/** The headers of an answer that are about the answer. */
export function returnedHeaders(received: RawHeaders): string[] {
  return withoutHops(received)
    .filter(([name]) => !SAID_OF_THE_UPSTREAM.has(name.toLowerCase()) && !/^access-control-/i.test(name))
    .flat()
}

function withoutHops(received: RawHeaders): [name: string, value: string][] {
  const headers = inPairs(received)
  const named = headers.flatMap(([name, value]) => (name.toLowerCase() === 'connection' ? value.split(',') : []))
  const ofThisHop = new Set(named.map(name => name.trim().toLowerCase()))
  // What gives the answer its length may not be denied by what it calls a matter of the connection.
  ofThisHop.delete('content-length')
  return headers.filter(([name]) => !HOP_BY_HOP.has(name.toLowerCase()) && !ofThisHop.has(name.toLowerCase()))
}

function inPairs(raw: RawHeaders): [name: string, value: string][] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as [string, string]] : [])) // a pair
}

function names(...lines: string[]): ReadonlySet<string> {
  return new Set(lines.flatMap(line => line.split(' ')))
}
