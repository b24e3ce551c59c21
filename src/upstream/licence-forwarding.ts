import { Counter } from 'prom-client'
import type { LicenceServers } from '../config/settings-upstream.js'
import type { Families } from '../drm/families.js'
import type { LicenceFamily } from '../drm/family.js'
import type { LicenceDrm } from '../ground/drms.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { networkOf } from '../limits/network.js'
import type { Metrics } from '../metrics.js'
import { forwardedHeaders, type RawHeaders, returnedHeaders } from './end-to-end-headers.js'
import { LicenceFailure } from './licence-failure.js'
import { LicenceServer, type LicenceServerAnswer, type LicenceServerSettings } from './licence-server.js'

/** A player's key request, of which nothing but its DRM and environment decides where it goes. */
export interface ForwardedKeyRequest {
  readonly drm: LicenceDrm
  readonly environment: Environment
  /** With its question mark, as it was received. */
  readonly query: string
  readonly headers: RawHeaders
  readonly body: Buffer
  /** Whose request it is. */
  readonly address: string
  /** Aborted, with a LicenceFailure, when nobody waits for the answer any more. */
  readonly gone: AbortSignal
}

export interface LicenceForwardingSettings extends LicenceServerSettings {
  readonly licences: Readonly<Record<Environment, LicenceServers>>
  readonly licenceHeaders: ReadonlySet<string>
}

/** The way of key requests to the real licence servers: only to those of a table that is made once. */
export class LicenceForwarding {
  /** A player that reads nothing of an answer for so many milliseconds does not want it. */
  readonly patience: number
  readonly #moreHeaders: ReadonlySet<string>
  readonly #ways: Readonly<Record<Environment, Ways>>
  readonly #forwarded: Counter<'drm' | 'environment' | 'status'>

  constructor(settings: LicenceForwardingSettings, { licences }: Families, { registry }: Metrics) {
    this.patience = settings.timeout
    this.#moreHeaders = settings.licenceHeaders
    this.#ways = {
      test: waysTo(settings.licences.test, licences, settings),
      production: waysTo(settings.licences.production, licences, settings),
    }
    this.#forwarded = new Counter({
      name: 'expressplay_licences_forwarded_total',
      help: 'Key requests for the upstream, by what it answered: 2xx, 4xx, 5xx, or none.',
      labelNames: ['drm', 'environment', 'status'] as const,
      registers: [registry],
    })
  }

  /** The environments that have a licence server for it. */
  environmentsOf(drm: LicenceDrm): readonly Environment[] {
    return ENVIRONMENTS.filter(environment => this.#ways[environment].has(drm))
  }

  /** Throws a LicenceFailure where no answer comes that a player could use. */
  async forward({
    drm,
    environment,
    query,
    headers,
    address,
    body,
    gone,
  }: ForwardedKeyRequest): Promise<LicenceServerAnswer> {
    const way = this.#ways[environment].get(drm)
    if (way === undefined) throw new Error('there is no such licence server')
    const path = way.path + query
    try {
      const forwarded = forwardedHeaders(headers, address, this.#moreHeaders)
      const answer = await way.server.send({ path, headers: forwarded, body, gone, network: networkOf(address) })
      if (!isForPlayers(answer)) throw notForPlayers(answer)
      this.#forwarded.inc({ drm, environment, status: `${Math.floor(answer.status / 100)}xx` })
      return { ...answer, headers: returnedHeaders(answer.headers) }
    } catch (error) {
      this.#forwarded.inc({ drm, environment, status: 'none' })
      throw error
    }
  }

  async close(): Promise<void> {
    const ways = ENVIRONMENTS.flatMap(environment => [...this.#ways[environment].values()])
    await Promise.all([...new Set(ways.map(({ server }) => server))].map(server => server.close()))
  }
}

interface Way {
  readonly server: LicenceServer
  readonly path: string
}

type Ways = ReadonlyMap<LicenceDrm, Way>

/** DRMs on one host share its connections. */
function waysTo(urls: LicenceServers, families: readonly LicenceFamily[], settings: LicenceServerSettings): Ways {
  const servers = new Map<string, LicenceServer>()
  const ways = new Map<LicenceDrm, Way>()
  for (const { drm, path } of families) {
    const url = urls[drm]
    if (url === undefined) continue
    const server = servers.get(url.origin) ?? new LicenceServer(url.origin, settings)
    servers.set(url.origin, server)
    ways.set(drm, { server, path: url.pathname.replace(/\/+$/, '') + path })
  }
  return ways
}

/**
 * Where a redirection points to is on no list of ours, and players that followed would take their token there. What is
 * beyond 599 is no status of HTTP.
 */
function isForPlayers({ status }: LicenceServerAnswer): boolean {
  return status < 300 || (status >= 400 && status <= 599)
}

function notForPlayers({ status, body }: LicenceServerAnswer): LicenceFailure {
  body.destroy()
  return new LicenceFailure('no answer', `HTTP_${status}`)
}
