import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { RequestFailure } from '../connections/request-failure.js'
import type { Environment } from '../ground/environment.js'
import { CIRCUIT_STATES, type CircuitState } from './circuit-breaker.js'
import type { Outcome, UpstreamToken } from './token-answer.js'

/** The metrics of one host. */
export interface HostMetrics {
  answered(outcome: Outcome, milliseconds: number): void
  retried(): void
}

/** A host as the configuration names it: there are few. */
export interface HostPlace {
  readonly environment: Environment
  /** With its port, where that is not the usual one. */
  readonly host: string
}

export interface HostGauges {
  readonly place: HostPlace
  readonly inFlight: number
  readonly waiting: number
  readonly state: CircuitState
}

const HOST = ['environment', 'host'] as const

/** The Prometheus metrics of the real service, by its hosts. */
export class UpstreamMetrics {
  readonly #requests: Counter<'environment' | 'host' | 'outcome'>
  readonly #duration: Histogram<'environment' | 'host'>
  readonly #retries: Counter<'environment' | 'host'>

  constructor(registry: Registry, hosts: () => readonly HostGauges[]) {
    const registers = [registry]
    this.#requests = new Counter({
      name: 'expressplay_upstream_requests_total',
      help: 'Requests for the upstream, by what came of them.',
      labelNames: [...HOST, 'outcome'] as const,
      registers,
    })
    this.#duration = new Histogram({
      name: 'expressplay_upstream_request_duration_seconds',
      help: 'Time from a request for the upstream to its outcome: waiting, connecting and trying again among it.',
      labelNames: HOST,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    })
    this.#retries = new Counter({
      name: 'expressplay_upstream_retries_total',
      help: 'Requests that had not reached the upstream and were sent again.',
      labelNames: HOST,
      registers,
    })
    const gauge = (name: string, help: string, samplesOf: (host: HostGauges) => readonly Sample[]) =>
      perHostGauge(registry, { name: `expressplay_upstream_${name}`, help }, hosts, samplesOf)
    gauge('under_way', 'Requests that the upstream is asked now.', ({ inFlight }) => [[{}, inFlight]])
    gauge('waiting', 'Requests that wait for their turn.', ({ waiting }) => [[{}, waiting]])
    gauge('circuit', 'The state of the circuit breaker: 1 for the one that holds.', host =>
      CIRCUIT_STATES.map(state => [{ state }, host.state === state ? 1 : 0]),
    )
  }

  of(place: HostPlace): HostMetrics {
    const duration = this.#duration.labels({ ...place })
    const issued = this.#requests.labels({ ...place, outcome: 'issued' })
    return {
      answered: (outcome, milliseconds) => {
        duration.observe(milliseconds / 1000)
        if (outcome instanceof Error) this.#requests.inc({ ...place, outcome: nameOf(outcome) })
        else issued.inc()
      },
      retried: () => this.#retries.inc({ ...place }),
    }
  }
}

function nameOf(outcome: Exclude<Outcome, UpstreamToken>): string {
  return outcome instanceof RequestFailure ? outcome.kind.replaceAll(' ', '_') : 'refused'
}

type Sample = readonly [labels: { readonly state?: CircuitState }, value: number]

function perHostGauge(
  registry: Registry,
  name: { readonly name: string; readonly help: string },
  hosts: () => readonly HostGauges[],
  samplesOf: (host: HostGauges) => readonly Sample[],
): void {
  new Gauge({
    ...name,
    labelNames: [...HOST, 'state'] as const,
    registers: [registry],
    collect() {
      for (const host of hosts())
        for (const [labels, value] of samplesOf(host)) this.set({ ...host.place, ...labels }, value)
    },
  })
}
