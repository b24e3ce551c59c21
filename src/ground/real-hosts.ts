import type { Environment } from './environment.js'

/** The real service's own domains, in a region each. Tests have no region. */
export const TEST_DOMAIN = 'test.expressplay.com'
export const PRODUCTION_DOMAINS = {
  europe: 'service.expressplay.com',
  china: 'service.expressplay.cn',
} as const

interface Domain {
  readonly environment: Environment
  /** The names of its hosts; without them every name is one. */
  readonly names?: ReadonlySet<string>
}

/** The labels of its hosts, by the kind of tokens: `pr-gen.…` makes PlayReady's, and `pr.…` redeems them. */
export const HOST_LABELS = { playready: 'pr', widevine: 'wv', fairplay: 'fp', ms3: 'ms3', bb: 'bb' } as const

const labels = Object.values(HOST_LABELS)
const tokens = labels.map(label => `${label}-gen`)
const others = [...labels, 'pr2', 'api']

const inTest: Domain = {
  environment: 'test',
  names: new Set([...tokens, ...tokens.map(name => `${name}-2`), ...others]),
}
const inProduction: Domain = { environment: 'production', names: new Set([...tokens, ...others]) }

/** Every host of the real service, and the only place that names them (spec: real-names.md). */
const DOMAINS: ReadonlyMap<string, Domain> = new Map([
  [TEST_DOMAIN, inTest],
  ['test.expressplay.cn', { environment: 'test', names: new Set(others) }],
  [PRODUCTION_DOMAINS.europe, inProduction],
  [PRODUCTION_DOMAINS.china, inProduction],
  ['eval.hostedmarlin.com', { environment: 'test' }],
  ['service.hostedmarlin.com', { environment: 'production' }],
])

export const REAL_DOMAINS: readonly string[] = [...DOMAINS.keys()]

/** Hosts of the domains that take any name, as public clients name them. */
const OLDER_NAMES = ['ms3-gen', 'bb-gen', 'cmi', 'ms3']

/** Every host by its name; of the domains that take any name those that clients are known to ask. */
export function realHosts(): string[] {
  return [...DOMAINS].flatMap(([domain, { names = OLDER_NAMES }]) => [...names].map(name => `${name}.${domain}`))
}

interface RealHost {
  readonly name: string
  readonly domain: string
  readonly port: string
  readonly environment: Environment
}

const LABEL = /^[\w-]+$/
const PORT = /^(?::\d+)?$/

/** A port and a final dot may follow the name. The domain comes first and without a pattern: every token request asks. */
function realHost(host: string): RealHost | undefined {
  const dot = host.indexOf('.')
  const colon = host.indexOf(':')
  const end = colon === -1 ? host.length : colon
  const domain = host.slice(dot + 1, host[end - 1] === '.' ? end - 1 : end).toLowerCase()
  const known = DOMAINS.get(domain)
  if (known === undefined || dot === -1) return undefined
  const name = host.slice(0, dot).toLowerCase()
  const port = host.slice(end)
  if (!LABEL.test(name) || !PORT.test(port) || known.names?.has(name) === false) return undefined
  return { name, domain, port, environment: known.environment }
}

export function isRealHost(host: string): boolean {
  return realHost(host) !== undefined
}

/** The environment of a request for this host: only a name of the real service decides it. */
export function environmentOfHost(host: string, otherwise: Environment): Environment {
  return realHost(host)?.environment ?? otherwise
}

/**
 * Where tokens of this host are redeemed: `pr-gen.…` gives them out for `pr.…`, at the port that reached it. Any other
 * host redeems its own. A DRM is named by the label of its licence host.
 */
export function licenceHostOf(host: string, drm: string): string {
  const { name, domain, port } = realHost(host) ?? {}
  return name === `${drm}-gen` || name === `${drm}-gen-2` ? `${drm}.${domain}${port}` : host
}

/** A request, as far as its Host header goes. */
interface Addressed {
  readonly host: string
}

const PLAIN_HOST = /^[\w.-]+(?::\d{1,5})?$|^\[[\da-fA-F:.]+\](?::\d{1,5})?$/

/** The host that a request is for. The Host header becomes part of an answer, so it must be no more than a host. */
export function plainHost({ host }: Addressed): string {
  return PLAIN_HOST.test(host) ? host : 'localhost'
}

/** The environment that a request is for, where its host names none of the real service's. */
export function environmentOf(request: Addressed, otherwise: Environment): Environment {
  return environmentOfHost(plainHost(request), otherwise)
}
