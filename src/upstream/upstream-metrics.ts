import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { RequestFailure } from '../connections/request-failure.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { CIRCUIT_STATES, type CircuitState } from './circuit-breaker.js'
import type { Outcome, UpstreamToken } from './token-answer.js'

/** The metrics of one host. */
export interface HostMetrics {
  answered(outcome: Outcome, milliseconds: number): void
  retried(): void
}

export interface HostGauges {
  readonly inFlight: number
  readonly waiting: number
  readonly state: CircuitState
}

/** The Prometheus metrics of the real service. */
export class UpstreamMetrics {
  readonly #requests: Counter<'environment' | 'outcome'>
  readonly #duration: Histogram<'environment'>
  readonly #retries: Counter<'environment'>

  constructor(registry: Registry, gaugesOf: (environment: Environment) => HostGauges) {
    const registers = [registry]
    this.#requests = new Counter({
      name: 'expressplay_upstream_requests_total',
      help: 'Requests for the upstream, by what came of them.',
      labelNames: ['environment', 'outcome'] as const,
      registers,
    })
    this.#duration = new Histogram({
      name: 'expressplay_upstream_request_duration_seconds',
      help: 'Time from a request for the upstream to its outcome: waiting, connecting and trying again among it.',
      labelNames: ['environment'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    })
    this.#retries = new Counter({
      name: 'expressplay_upstream_retries_total',
      help: 'Requests that had not reached the upstream and were sent again.',
      labelNames: ['environment'] as const,
      registers,
    })
    perEnvironmentGauge(registry, 'under_way', 'Requests that the upstream is asked now.', environment => [
      [{ environment }, gaugesOf(environment).inFlight],
    ])
    perEnvironmentGauge(registry, 'waiting', 'Requests that wait for their turn.', environment => [
      [{ environment }, gaugesOf(environment).waiting],
    ])
    perEnvironmentGauge(
      registry,
      'circuit',
      'The state of the circuit breaker: 1 for the one that holds.',
      environment =>
        CIRCUIT_STATES.map(state => [{ environment, state }, gaugesOf(environment).state === state ? 1 : 0]),
    )
  }

  of(environment: Environment): HostMetrics {
    const duration = this.#duration.labels(environment)
    const issued = this.#requests.labels(environment, 'issued')
    return {
      answered: (outcome, milliseconds) => {
        duration.observe(milliseconds / 1000)
        if (outcome instanceof Error) this.#requests.inc({ environment, outcome: nameOf(outcome) })
        else issued.inc()
      },
      retried: () => this.#retries.inc({ environment }),
    }
  }
}

function nameOf(outcome: Exclude<Outcome, UpstreamToken>): string {
  return outcome instanceof RequestFailure ? outcome.kind.replaceAll(' ', '_') : 'refused'
}

type Sample = readonly [labels: Record<string, string>, value: number]

function perEnvironmentGauge(
  registry: Registry,
  name: string,
  help: string,
  samplesOf: (environment: Environment) => readonly Sample[],
): void {
  new Gauge({
    name: `expressplay_upstream_${name}`,
    help,
    labelNames: ['environment', 'state'] as const,
    registers: [registry],
    collect() {
      for (const environment of ENVIRONMENTS)
        for (const [labels, value] of samplesOf(environment)) this.set(labels, value)
    },
  })
}
