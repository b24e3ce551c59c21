import { STATUS_CODES } from 'node:http'
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import { documentedDenials } from './entitlement/client/denials.js'
import type { ClientRefusal } from './entitlement/client-authentication/client-authorities.js'
import { documentedRefusals } from './errors/entitlement-refusal.js'
import { documentedErrors } from './errors/error-catalogue.js'
import type { Drm, LicenceDrm } from './ground/drms.js'
import type { WrittenEvent } from './store/engine.js'
import { environmentOfService } from './store/tables.js'

/** The metrics for Prometheus. Labels are names, codes and patterns of ours only, never anything from a request. */
export class Metrics {
  readonly registry = new Registry()

  readonly #issued = new Counter({
    name: 'expressplay_tokens_issued_total',
    help: 'Tokens issued.',
    labelNames: ['drm', 'environment'] as const,
    registers: [this.registry],
  })

  readonly #refused = new Counter({
    name: 'expressplay_tokens_refused_total',
    help: 'Token requests refused, by documented error code.',
    labelNames: ['drm', 'code'] as const,
    registers: [this.registry],
  })

  readonly #redeemed = new Counter({
    name: 'expressplay_tokens_redeemed_total',
    help: 'Tokens redeemed, by what the licence was for.',
    labelNames: ['drm', 'environment'] as const,
    registers: [this.registry],
  })

  readonly #redemptionsRefused = new Counter({
    name: 'expressplay_redemptions_refused_total',
    help: 'Key requests refused, by documented error code.',
    labelNames: ['drm', 'code'] as const,
    registers: [this.registry],
  })

  readonly #refusalsUnwritten = new Counter({
    name: 'expressplay_redemption_refusals_unwritten_total',
    help: 'Refused key requests that the transaction log leaves out, because the same token was refused for the same reason before.',
    registers: [this.registry],
  })

  readonly #entitlements = new Counter({
    name: 'expressplay_entitlements_total',
    help: 'Decisions of the entitlement service, by request type and error number; 0 is a grant.',
    labelNames: ['type', 'error'] as const,
    registers: [this.registry],
  })

  readonly #rateLimited = new Counter({
    name: 'expressplay_rate_limited_total',
    help: 'Requests refused because there were too many, by what is limited.',
    labelNames: ['limit'] as const,
    registers: [this.registry],
  })

  readonly #clientsRefused = new Counter({
    name: 'expressplay_entitlement_handshakes_refused_total',
    help: 'Clients that the entitlement service did not let in, by reason.',
    labelNames: ['reason'] as const,
    registers: [this.registry],
  })

  readonly #duration = new Histogram({
    name: 'expressplay_http_request_duration_seconds',
    help: 'Time from the arrival of a request to the end of its answer.',
    labelNames: ['route', 'status'] as const,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [this.registry],
  })

  /** Memory, processor and event loop as well, for a process that ends with us: what observes them is never freed. */
  measureProcess(): void {
    collectDefaultMetrics({ register: this.registry })
  }

  // Looking a label set up costs more than counting, and there are few of them.
  readonly #issuedBy = new Map<string, Counter.Internal>()
  readonly #redeemedBy = new Map<string, Counter.Internal>()
  readonly #entitlementsBy = new Map<string, Counter.Internal>()
  readonly #durations = new Map<string, Histogram.Internal<'route' | 'status'>>()

  /** Counts what the log has: so no token is counted that it does not know, and none twice. */
  eventWritten({ event, drm, service_id }: WrittenEvent): void {
    if (event === 'token_issued')
      remembered(this.#issuedBy, `${drm} ${environmentOfService(service_id)}`, () =>
        this.#issued.labels(drm, environmentOfService(service_id)),
      ).inc()
    else if (event === 'token_redeemed')
      remembered(this.#redeemedBy, `${drm} ${environmentOfService(service_id)}`, () =>
        this.#redeemed.labels(drm, environmentOfService(service_id)),
      ).inc()
  }

  tokenRefused(drm: Drm, code: number): void {
    this.#refused.inc({ drm, code: labelOf(code) })
  }

  redemptionRefused(drm: LicenceDrm, code: number): void {
    this.#redemptionsRefused.inc({ drm, code: labelOf(code) })
  }

  refusalUnwritten(): void {
    this.#refusalsUnwritten.inc()
  }

  entitlementDecided(type: 1 | 2 | 3 | 'unknown', error: number): void {
    const label = labelOf(error)
    remembered(this.#entitlementsBy, `${label} ${type}`, () => this.#entitlements.labels(String(type), label)).inc()
  }

  rateLimited(limit: 'address' | 'account'): void {
    this.#rateLimited.inc({ limit })
  }

  clientRefused(reason: ClientRefusal): void {
    this.#clientsRefused.inc({ reason })
  }

  answered(route: string, status: number, milliseconds: number): void {
    const label = labelOf(status)
    const duration = remembered(this.#durations, `${label} ${route}`, () => this.#duration.labels(route, label))
    duration.observe(milliseconds / 1000)
  }
}

const KNOWN_CODES: ReadonlySet<number> = new Set([
  0,
  499, // of a caller that is gone
  ...documentedErrors.keys(),
  ...[...documentedRefusals, ...documentedDenials].map(({ number }) => number),
  ...Object.keys(STATUS_CODES).map(Number),
])

/** Another service may answer any number, and a series for each would fill the memory. */
function labelOf(code: number): string {
  return KNOWN_CODES.has(code) ? String(code) : 'other'
}

function remembered<T>(known: Map<string, T>, name: string, make: () => T): T {
  const found = known.get(name)
  if (found !== undefined) return found
  const made = make()
  known.set(name, made)
  return made
}
