import { Counter } from 'prom-client'
import type { HostsByKind, UpstreamSettings } from '../config/settings-upstream.js'
import { RemoteService, type RemoteServiceParts } from '../connections/remote-service.js'
import { RequestFailure } from '../connections/request-failure.js'
import type { StreamedAnswer } from '../connections/sent-request.js'
import type { Families } from '../drm/families.js'
import type { LicenceFamily } from '../drm/family.js'
import type { Clock, Timer } from '../ground/clock.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { networkOf } from '../ground/ip-addresses.js'
import type { Metrics } from '../metrics.js'
import { forwardedHeaders, type RawHeaders, returnedHeaders } from './end-to-end-headers.js'

/** A player's key request. Only its endpoint and its environment decide where it goes. */
export interface ForwardedKeyRequest {
  readonly family: LicenceFamily
  readonly method: 'GET' | 'POST'
  readonly environment: Environment
  /** As received, with its question mark. */
  readonly query: string
  readonly headers: RawHeaders
  readonly body: Buffer
  /** The sender's IP address. */
  readonly address: string
  /** Aborted when the caller no longer waits for the answer. */
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

/** The largest part of the connections for one network: a busy network must not take all of them. */
const MAX_SHARE = 0.25

/** Forwards key requests to the real licence servers, and only to those of a fixed table. */
export class LicenceForwarding {
  readonly #readTimeout: number
  readonly #clock: Clock
  readonly #moreHeaders: ReadonlySet<string>
  readonly #routes: Readonly<Record<Environment, Routes>>
  readonly #forwarded: Counter<'drm' | 'environment' | 'status'>

  constructor(settings: LicenceForwardingSettings, { families: { licences }, metrics, clock }: LicenceForwardingParts) {
    const { connections, queue, connectTimeout, timeout } = settings
    const maxPerParty = Math.ceil(connections * MAX_SHARE)
    const parts = { connections, queue, maxPerParty, connectTimeout, timeout, bodyTimeout: timeout, clock }
    this.#readTimeout = timeout
    this.#clock = clock
    this.#moreHeaders = settings.licenceHeaders
    this.#routes = {
      test: routesTo(settings.licences.test, licences, parts),
      production: routesTo(settings.licences.production, licences, parts),
    }
    this.#forwarded = new Counter({
      name: 'expressplay_licences_forwarded_total',
      help: 'Key requests for the upstream, by what it answered: 2xx, 4xx, 5xx, or none.',
      labelNames: ['drm', 'environment', 'status'] as const,
      registers: [metrics.registry],
    })
  }

  /** Calls `stalled` after a timeout in which the player has read nothing of the answer. */
  watchReading(stalled: () => void): Timer {
    return this.#clock.after(this.#readTimeout, stalled)
  }

  /** The environments that have a licence server for this family. */
  environmentsOf({ name }: LicenceFamily): readonly Environment[] {
    return ENVIRONMENTS.filter(environment => this.#routes[environment].has(name))
  }

  /** Sends each request once: players retry by themselves. */
  async forward(keyRequest: ForwardedKeyRequest): Promise<StreamedAnswer | RequestFailure> {
    const { family, method, environment, query, address, gone } = keyRequest
    const route = this.#routes[environment].get(family.name)
    if (route === undefined) throw new Error('there is no such licence server')
    const headers = forwardedHeaders(keyRequest.headers, address, this.#moreHeaders)
    // A GET has no body.
    const body = method === 'POST' ? { body: keyRequest.body } : {}
    const request = { method, path: route.path + query, headers, ...body }
    const answer = forPlayers(await route.server.stream(request, { party: networkOf(address), gone }))
    const status = answer instanceof RequestFailure ? 'none' : `${Math.floor(answer.status / 100)}xx`
    this.#forwarded.inc({ drm: family.drm, environment, status })
    return answer
  }

  async close(): Promise<void> {
    const routes = ENVIRONMENTS.flatMap(environment => [...this.#routes[environment].values()])
    await Promise.all([...new Set(routes.map(({ server }) => server))].map(server => server.close()))
  }
}

interface Route {
  readonly server: RemoteService
  readonly path: string
}

/** By the name of the family. */
type Routes = ReadonlyMap<string, Route>

/** Families on one host share its connections. Tokens and other hosts have their own. */
function routesTo(
  urls: HostsByKind,
  families: readonly LicenceFamily[],
  parts: Omit<RemoteServiceParts, 'url'>,
): Routes {
  const servers = new Map<string, RemoteService>()
  const routes = new Map<string, Route>()
  for (const { name, path } of families) {
    const url = urls.get(name)
    if (url === undefined) continue
    const server = servers.get(url.origin) ?? new RemoteService({ ...parts, url: new URL(url.origin) })
    servers.set(url.origin, server)
    routes.set(name, { server, path: url.pathname.replace(/\/+$/, '') + path })
  }
  return routes
}

/**
 * A redirect may lead to a host outside the table, and a player that followed it would send its token there. Numbers
 * above 599 are no HTTP status.
 */
function forPlayers(answer: StreamedAnswer | RequestFailure): StreamedAnswer | RequestFailure {
  if (answer instanceof RequestFailure) return answer
  const { status, headers, body } = answer
  if (status < 300 || (status >= 400 && status <= 599)) return { status, headers: returnedHeaders(headers), body }
  body.destroy()
  return new RequestFailure('no answer', { reason: `HTTP_${status}` })
}
