import type { HostsByKind } from '../config/settings-upstream.js'
import type { RequestFailure } from '../connections/request-failure.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import type { CircuitState } from './circuit-breaker.js'
import type { Outcome } from './token-answer.js'
import type { UpstreamRequest } from './token-exchange.js'
import type { TokenHost } from './token-host.js'
import type { Asked, Upstream } from './upstream-issuer.js'

/**
 * The token hosts of the real service: one for each DRM of an environment, each with its own connections, queue and
 * circuit breaker, so a failure of one does not affect the others. DRMs with the same URL share a host.
 */
export class TokenHosts implements Upstream {
  readonly all: readonly TokenHost[]
  readonly #byKind: Readonly<Record<Environment, ReadonlyMap<string, TokenHost>>>
  readonly #closed: TokenHostsParts['closed']

  constructor({ urls, hostOf, closed }: TokenHostsParts) {
    this.#byKind = {
      test: hostsOf(urls.test, url => hostOf('test', url)),
      production: hostsOf(urls.production, url => hostOf('production', url)),
    }
    this.all = ENVIRONMENTS.flatMap(environment => [...new Set(this.#byKind[environment].values())])
    this.#closed = closed
  }

  get states(): Readonly<Record<Environment, CircuitState>> {
    return { test: this.#worstState('test'), production: this.#worstState('production') }
  }

  refusal(asked: Asked): RequestFailure | undefined {
    return this.#hostOf(asked).refusal(asked.customerId)
  }

  ask(request: UpstreamRequest): Promise<Outcome> {
    return this.#hostOf(request).ask(request)
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map(host => host.close()))
    await this.#closed()
  }

  #hostOf({ environment, family }: Asked): TokenHost {
    const host = this.#byKind[environment].get(family.name)
    if (host === undefined) throw new Error(`no host makes tokens of ${family.name}`)
    return host
  }

  #worstState(environment: Environment): CircuitState {
    const states = new Set([...this.#byKind[environment].values()].map(({ state }) => state))
    return WORST_FIRST.find(state => states.has(state)) ?? 'closed'
  }
}

const WORST_FIRST = ['open', 'half-open', 'closed'] as const satisfies readonly CircuitState[]

export interface TokenHostsParts {
  readonly urls: Readonly<Record<Environment, HostsByKind>>
  readonly hostOf: (environment: Environment, url: URL) => TokenHost
  /** Called when all hosts are closed. */
  readonly closed: () => Promise<void>
}

function hostsOf(urls: HostsByKind, hostOf: (url: URL) => TokenHost): Map<string, TokenHost> {
  const byUrl = new Map<string, TokenHost>()
  const byKind = new Map<string, TokenHost>()
  for (const [kind, url] of urls) {
    const host = byUrl.get(url.href) ?? hostOf(url)
    byUrl.set(url.href, host)
    byKind.set(kind, host)
  }
  return byKind
}
