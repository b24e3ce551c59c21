import * as z from 'zod'
import { CLEAR_KEY } from '../ground/drms.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { HOST_LABELS, PRODUCTION_DOMAINS, TEST_DOMAIN } from '../ground/real-hosts.js'
import { groupMeta, settingMeta } from './setting.js'
import { folder, headerNames, httpUrl, oneOf, truth, wholeNumber } from './setting-rules.js'

type Region = keyof typeof PRODUCTION_DOMAINS
const REGIONS = ['europe', 'china'] as const satisfies readonly Region[]

const LICENCE_HOSTS =
  'The base URL of the licence servers of the test environment, which key requests are forwarded to. Without it, the token host where its URL is given, else those of the region.'
const RECORD_HOSTS =
  'The base URL of the host with the transaction log of the test environment, where the [devices of a viewer](entitlement.md#through-a-gateway) are looked up. Without it, the token host where its URL is given, else that of the region.'

export const upstreamGroup = z
  .object({
    UPSTREAM_REGION: oneOf(REGIONS).default('europe').register(settingMeta, {
      description: 'The region whose hosts of the real service are asked. The URLs below come first.',
      example: 'china',
    }),
    UPSTREAM_TEST_URL: httpUrl.optional().register(settingMeta, {
      description:
        'The base URL of the token host of the test environment, for all DRMs, such as that of a proxy or another emulator. Without it, the real ones.',
      example: 'http://127.0.0.1:9090',
    }),
    UPSTREAM_PRODUCTION_URL: httpUrl.optional().register(settingMeta, {
      description: 'The same for production. Without it, those of the region.',
      example: 'http://127.0.0.1:9090',
    }),
    UPSTREAM_TEST_LICENCE_URL: httpUrl.optional().register(settingMeta, {
      description: LICENCE_HOSTS,
      example: 'https://licences.test.example.com',
    }),
    UPSTREAM_PRODUCTION_LICENCE_URL: httpUrl.optional().register(settingMeta, {
      description: 'The same for production.',
      example: 'https://licences.example.com',
    }),
    UPSTREAM_TEST_API_URL: httpUrl.optional().register(settingMeta, {
      description: RECORD_HOSTS,
      example: 'https://api.test.example.com',
    }),
    UPSTREAM_PRODUCTION_API_URL: httpUrl.optional().register(settingMeta, {
      description: 'The same for production.',
      example: 'https://api.example.com',
    }),
    UPSTREAM_LICENCE_HEADERS: headerNames.optional().register(settingMeta, {
      description:
        'Headers of key requests that go on to the licence servers beside [those that players need](gateway.md#licences).',
      example: 'X-Session-Id',
    }),
    UPSTREAM_UNKNOWN_PARAMETERS: oneOf(['pass', 'drop']).default('pass').register(settingMeta, {
      description:
        'Whether undocumented parameters are sent on. Those that [look like a documented one](gateway.md#what-is-sent) never are. With `MODE=replay` as it was when recording.',
      example: 'drop',
    }),
    UPSTREAM_CONNECT_TIMEOUT: wholeNumber(1, 60_000).default(2000).register(settingMeta, {
      description: 'Milliseconds to connect, TLS included.',
      example: '1000',
    }),
    UPSTREAM_TIMEOUT: wholeNumber(1, 120_000).default(10_000).register(settingMeta, {
      description:
        "Milliseconds from a request's arrival to its answer, which includes waiting, connecting and trying again.",
      example: '5000',
    }),
    UPSTREAM_CONNECTIONS: wholeNumber(1, 1024).default(64).register(settingMeta, {
      description: 'Requests in flight at once, to each host: the real service has one for the tokens of each DRM.',
      example: '128',
    }),
    UPSTREAM_QUEUE: wholeNumber(0, 100_000).default(256).register(settingMeta, {
      description: 'Requests that wait for each host until one of those ends; the next one gets 503.',
      example: '1000',
    }),
    UPSTREAM_BREAKER_PAUSE: wholeNumber(1, 600_000).default(5000).register(settingMeta, {
      description: 'Milliseconds that a host is left alone after it has failed too often.',
      example: '10000',
    }),
    HIDE_UPSTREAM: truth.default(false).register(settingMeta, {
      description:
        '`true`: `licenseAcquisitionUrl` names this service, which forwards licence requests. With `MODE=replay` as it was when recording.',
      example: 'true',
    }),
    RECORD_DIR: folder.optional().register(settingMeta, {
      description:
        'The folder of the [recordings](gateway.md#record-and-replay): `MODE=gateway` writes its exchanges with the real service there, and `MODE=replay`, which needs it, answers from it.',
      example: './recordings',
    }),
  })
  .register(groupMeta, { title: 'The real service, for MODE=gateway' })

/** Where the real service is, and how patient we are with it. Times are in milliseconds. */
export interface UpstreamSettings {
  readonly tokens: Readonly<Record<Environment, HostsByKind>>
  /** The only places that licence requests are forwarded to. The real service has no Clear Key; an emulated one does. */
  readonly licences: Readonly<Record<Environment, HostsByKind>>
  /** Where the transaction log is looked up. */
  readonly records: Readonly<Record<Environment, URL>>
  /** Headers of key requests to forward, besides those that players need. */
  readonly licenceHeaders: ReadonlySet<string>
  readonly unknownParameters: 'pass' | 'drop'
  readonly connectTimeout: number
  /** From the arrival of a request to its answer: waiting, connecting and trying again included. */
  readonly timeout: number
  /** How many requests are in flight at once, to each host. */
  readonly connections: number
  /** How many wait until one of those ends. */
  readonly queue: number
  /** How long a host is left alone that has failed too often. */
  readonly breakerPause: number
}

/** Base URLs by the kind of tokens (`TokenFamily.name`), for licences also `clearkey`. */
export type HostsByKind = ReadonlyMap<string, URL>

export function readUpstream(given: z.output<typeof upstreamGroup>): UpstreamSettings {
  const region = given.UPSTREAM_REGION
  const tokens = { test: given.UPSTREAM_TEST_URL, production: given.UPSTREAM_PRODUCTION_URL }
  const licences = { test: given.UPSTREAM_TEST_LICENCE_URL, production: given.UPSTREAM_PRODUCTION_LICENCE_URL }
  const apis = { test: given.UPSTREAM_TEST_API_URL, production: given.UPSTREAM_PRODUCTION_API_URL }
  return {
    // A service that is not the real one is expected to be whole: every DRM's tokens and licences, and the log.
    tokens: perEnvironment(environment => {
      const one = tokens[environment]
      return eachKind(label => one ?? upstreamHost(`${label}-gen`, environment, region))
    }),
    licences: perEnvironment(environment => {
      const one = licences[environment] ?? tokens[environment]
      return one === undefined
        ? eachKind(label => upstreamHost(label, environment, region, LICENCE_PORTS[label]))
        : new Map([...eachKind(() => one), [CLEAR_KEY, one]])
    }),
    records: perEnvironment(
      environment => apis[environment] ?? tokens[environment] ?? upstreamHost('api', environment, region),
    ),
    licenceHeaders: given.UPSTREAM_LICENCE_HEADERS ?? new Set(),
    unknownParameters: given.UPSTREAM_UNKNOWN_PARAMETERS,
    connectTimeout: given.UPSTREAM_CONNECT_TIMEOUT,
    timeout: given.UPSTREAM_TIMEOUT,
    connections: given.UPSTREAM_CONNECTIONS,
    queue: given.UPSTREAM_QUEUE,
    breakerPause: given.UPSTREAM_BREAKER_PAUSE,
  }
}

function perEnvironment<T>(make: (environment: Environment) => T): Record<Environment, T> {
  const [test, production] = ENVIRONMENTS
  return { test: make(test), production: make(production) }
}

type HostLabel = (typeof HOST_LABELS)[keyof typeof HOST_LABELS]

function eachKind(urlOf: (label: HostLabel) => URL): Map<string, URL> {
  return new Map(Object.entries(HOST_LABELS).map(([kind, label]) => [kind, urlOf(label)]))
}

/** The ports of licence hosts that are not 443. */
const LICENCE_PORTS: Readonly<Partial<Record<HostLabel, number>>> = { ms3: 8443 }

/** A token host makes tokens, a licence host redeems them; each DRM has its own. The transaction log is at `api`. */
function upstreamHost(
  host: HostLabel | `${HostLabel}-gen` | 'api',
  environment: Environment,
  region: Region,
  port = 443,
): URL {
  return new URL(`https://${host}.${environment === 'test' ? TEST_DOMAIN : PRODUCTION_DOMAINS[region]}:${port}`)
}
