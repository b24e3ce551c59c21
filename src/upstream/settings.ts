import type { LicenceDrm } from '../ground/drms.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { type Region, upstreamHost } from './hosts.js'

/** Where the real service is, and how patient we are with it. Times are in milliseconds. */
export interface UpstreamSettings {
  readonly tokens: Readonly<Record<Environment, URL>>
  /** The only places that licence requests are forwarded to. */
  readonly licences: Readonly<Record<Environment, LicenceServers>>
  /** Where the transaction log is looked up. */
  readonly records: Readonly<Record<Environment, URL>>
  /** What of a key request goes to licence servers beside the headers that players need. */
  readonly licenceHeaders: ReadonlySet<string>
  readonly unknownParameters: 'pass' | 'drop'
  readonly connectTimeout: number
  /** From the arrival of a request to its answer: waiting, connecting and trying again among it. */
  readonly timeout: number
  /** So many requests are under way at once, to each environment. */
  readonly connections: number
  /** So many wait for one of those. */
  readonly queue: number
  /** How long a host is left alone that has failed too often. */
  readonly breakerPause: number
}

/** The real service knows no Clear Key; an emulated one does. */
export type LicenceServers = Readonly<Partial<Record<LicenceDrm, URL>>>

interface Given {
  readonly UPSTREAM_REGION: Region
  readonly UPSTREAM_TEST_URL?: URL | undefined
  readonly UPSTREAM_PRODUCTION_URL?: URL | undefined
  readonly UPSTREAM_TEST_LICENCE_URL?: URL | undefined
  readonly UPSTREAM_PRODUCTION_LICENCE_URL?: URL | undefined
  readonly UPSTREAM_TEST_API_URL?: URL | undefined
  readonly UPSTREAM_PRODUCTION_API_URL?: URL | undefined
  readonly UPSTREAM_LICENCE_HEADERS?: ReadonlySet<string> | undefined
  readonly UPSTREAM_UNKNOWN_PARAMETERS: 'pass' | 'drop'
  readonly UPSTREAM_CONNECT_TIMEOUT: number
  readonly UPSTREAM_TIMEOUT: number
  readonly UPSTREAM_CONNECTIONS: number
  readonly UPSTREAM_QUEUE: number
  readonly UPSTREAM_BREAKER_PAUSE: number
}

export function upstreamSettings(given: Given): UpstreamSettings {
  const region = given.UPSTREAM_REGION
  const tokens = { test: given.UPSTREAM_TEST_URL, production: given.UPSTREAM_PRODUCTION_URL }
  const licences = { test: given.UPSTREAM_TEST_LICENCE_URL, production: given.UPSTREAM_PRODUCTION_LICENCE_URL }
  const apis = { test: given.UPSTREAM_TEST_API_URL, production: given.UPSTREAM_PRODUCTION_API_URL }
  return {
    tokens: perEnvironment(environment => tokens[environment] ?? upstreamHost('pr-gen', environment, region)),
    // A service that is not the real one is expected to be whole: tokens, licences and log on one host.
    licences: perEnvironment(environment => {
      const one = licences[environment] ?? tokens[environment]
      return one === undefined ? realLicenceServers(environment, region) : everyDrmOn(one)
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

function realLicenceServers(environment: Environment, region: Region): LicenceServers {
  return {
    playready: upstreamHost('pr', environment, region),
    widevine: upstreamHost('wv', environment, region),
    fairplay: upstreamHost('fp', environment, region),
  }
}

function everyDrmOn(url: URL): LicenceServers {
  return { playready: url, widevine: url, fairplay: url, clearkey: url }
}
