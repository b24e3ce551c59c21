import { Counter } from 'prom-client'
import type { LicenceServers, UpstreamSettings } from '../config/settings-upstream.js'
import { RemoteService, type RemoteServiceParts } from '../connections/remote-service.js'
import { RequestFailure } from '../connections/request-failure.js'
import type { StreamedAnswer } from '../connections/sent-request.js'
import type { Families } from '../drm/families.js'
import type { LicenceFamily } from '../drm/family.js'
import type { Clock, Timer } from '../ground/clock.js'
import type { LicenceDrm } from '../ground/drms.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { networkOf } from '../ground/ip-addresses.js'
import type { Metrics } from '../metrics.js'
import { forwardedHeaders, type RawHeaders, returnedHeaders } from './end-to-end-headers.js'

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
  /** Aborted when nobody waits for the answer any more. */
  readonly gone: AbortSignal
}

export type LicenceForwardingSettings = Pick<
  UpstreamSettings,
  'licences' | 'licenceHeaders' | 'connections' | 'queue' | 'connectTimeout' | 'timeout'
>

export interface LicenceForwardingParts {
  readonly families: Families
  readonly metrics: Metrics
  readonly clock: Clock
}

/** So much of the connections a network may have: one that keeps them busy shall not have all. */
const LARGEST_SHARE = 0.25

/** The way of key requests to the real licence servers: only to those of a table that is made once. */
export class LicenceForwarding {
  readonly #patience: number
  readonly #clock: Clock
  readonly #moreHeaders: ReadonlySet<string>
  readonly #ways: Readonly<Record<Environment, Ways>>
  readonly #forwarded: Counter<'drm' | 'environment' | 'status'>

  constructor(settings: LicenceForwardingSettings, { families: { licences }, metrics, clock }: LicenceForwardingParts) {
    const { connections, queue, connectTimeout, timeout } = settings
    const mostOfOneParty = Math.ceil(connections * LARGEST_SHARE)
    const parts = { connections, queue, mostOfOneParty, connectTimeout, timeout, bodyTimeout: timeout, clock }
    this.#patience = timeout
    this.#clock = clock
    this.#moreHeaders = settings.licenceHeaders
    this.#ways = {
      test: waysTo(settings.licences.test, licences, parts),
      production: waysTo(settings.licences.production, licences, parts),
    }
    this.#forwarded = new Counter({
      name: 'expressplay_licences_forwarded_total',
      help: 'Key requests for the upstream, by what it answered: 2xx, 4xx, 5xx, or none.',
      labelNames: ['drm', 'environment', 'status'] as const,
      registers: [metrics.registry],
    })
  }

  /** Calls `stalled` when a player has read nothing of an answer for so long that it does not want it. */
  watchReading(stalled: () => void): Timer {
    return this.#clock.after(this.#patience, stalled)
  }

  /** The environments that have a licence server for it. */
  environmentsOf(drm: LicenceDrm): readonly Environment[] {
    return ENVIRONMENTS.filter(environment => this.#ways[environment].has(drm))
  }

  /** Each is sent once: players repeat by themselves. */
  async forward(keyRequest: ForwardedKeyRequest): Promise<StreamedAnswer | RequestFailure> {
    const { drm, environment, query, address, body, gone } = keyRequest
    const way = this.#ways[environment].get(drm)
    if (way === undefined) throw new Error('there is no such licence server')
    const headers = forwardedHeaders(keyRequest.headers, address, this.#moreHeaders)
    const request = { method: 'POST', path: way.path + query, headers, body } as const
    const answer = forPlayers(await way.server.stream(request, { party: networkOf(address), gone }))
    const status = answer instanceof RequestFailure ? 'none' : `${Math.floor(answer.status / 100)}xx`
    this.#forwarded.inc({ drm, environment, status })
    return answer
  }

  async close(): Promise<void> {
    const ways = ENVIRONMENTS.flatMap(environment => [...this.#ways[environment].values()])
    await Promise.all([...new Set(ways.map(({ server }) => server))].map(server => server.close()))
  }
}

interface Way {
  readonly server: RemoteService
  readonly path: string
}

type Ways = ReadonlyMap<LicenceDrm, Way>

/** DRMs on one host share its connections, which neither tokens nor other hosts wait for. */
function waysTo(
  urls: LicenceServers,
  families: readonly LicenceFamily[],
  parts: Omit<RemoteServiceParts, 'url'>,
): Ways {
  const servers = new Map<string, RemoteService>()
  const ways = new Map<LicenceDrm, Way>()
  for (const { drm, path } of families) {
    const url = urls[drm]
    if (url === undefined) continue
    const server = servers.get(url.origin) ?? new RemoteService({ ...parts, url: new URL(url.origin) })
    servers.set(url.origin, server)
    ways.set(drm, { server, path: url.pathname.replace(/\/+$/, '') + path })
  }
  return ways
}

/**
 * Where a redirection points to is on no list of ours, and players that followed would take their token there. What is
 * beyond 599 is no status of HTTP.
 */
function forPlayers(answer: StreamedAnswer | RequestFailure): StreamedAnswer | RequestFailure {
  if (answer instanceof RequestFailure) return answer
  const { status, headers, body } = answer
  if (status < 300 || (status >= 400 && status <= 599)) return { status, headers: returnedHeaders(headers), body }
  body.destroy()
  return new RequestFailure('no answer', { reason: `HTTP_${status}` })
}
