import type { Logger } from 'pino'
import type { UpstreamSettings } from '../config/settings-upstream.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import type { Metrics } from '../metrics.js'
import type { UpstreamToken } from './answer.js'
import type { UpstreamState } from './circuit.js'
import type { UpstreamRequest } from './exchange.js'
import { GuardedHost } from './guarded-host.js'
import { HttpExchange } from './http-exchange.js'
import { UpstreamMetrics } from './metrics.js'
import { RecordingExchange } from './recording-exchange.js'
import { Recorder } from './recordings/recorder.js'
import type { Upstream } from './upstream-issuer.js'

export interface RealUpstreamParts {
  readonly settings: UpstreamSettings
  /** Where exchanges are recorded. */
  readonly recordDir: string | undefined
  readonly metrics: Metrics
  readonly logger: Logger
  readonly now: () => number
  /** Counts milliseconds steadily. */
  readonly uptime: () => number
}

/** The real service: a host for each environment, and what befalls one leaves the other alone. */
export function realUpstream({ settings, recordDir, metrics, logger, now, uptime }: RealUpstreamParts): Upstream {
  const recorder = recordDir === undefined ? undefined : new Recorder(recordDir, logger)
  const upstreamMetrics = new UpstreamMetrics(metrics.registry, environment => hosts[environment])
  const hostOf = (environment: Environment): GuardedHost => {
    const { connections, connectTimeout } = settings
    const exchange = new HttpExchange({ url: settings.tokens[environment], connections, connectTimeout })
    return new GuardedHost({
      exchange: recorder === undefined ? exchange : new RecordingExchange(exchange, recorder, now),
      settings,
      metrics: upstreamMetrics.of(environment),
      changed: (state, customerId) => tell(logger, { environment, customerId }, state),
      uptime,
    })
  }
  const hosts: Readonly<Record<Environment, GuardedHost>> = { test: hostOf('test'), production: hostOf('production') }
  return new RealUpstream(hosts)
}

class RealUpstream implements Upstream {
  readonly #hosts: Readonly<Record<Environment, GuardedHost>>

  constructor(hosts: Readonly<Record<Environment, GuardedHost>>) {
    this.#hosts = hosts
  }

  get states(): Readonly<Record<Environment, UpstreamState>> {
    return { test: this.#hosts.test.state, production: this.#hosts.production.state }
  }

  requireCapacity(environment: Environment, customerId: number): void {
    this.#hosts[environment].requireCapacity(customerId)
  }

  ask(request: UpstreamRequest): Promise<UpstreamToken> {
    return this.#hosts[request.environment].ask(request)
  }

  async close(): Promise<void> {
    await Promise.all(ENVIRONMENTS.map(environment => this.#hosts[environment].close()))
  }
}

/** With a customer it is about the requests of that one alone. */
function tell(
  logger: Logger,
  whose: { readonly environment: Environment; readonly customerId: number | undefined },
  state: UpstreamState,
): void {
  if (state === 'open') logger.error(whose, 'the upstream fails, and is left alone for a while')
  else if (state === 'half-open') logger.info(whose, 'one request tries whether the upstream works again')
  else logger.info(whose, 'the upstream works again')
}
