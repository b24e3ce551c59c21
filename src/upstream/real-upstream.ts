import type { Logger } from 'pino'
import type { Metrics } from '../metrics.js'
import type { UpstreamSettings } from './settings.js'
import type { Upstream } from './upstream-issuer.js'

export interface RealUpstreamParts {
  readonly settings: UpstreamSettings
  /** Where exchanges are recorded. */
  readonly recordDir: string | undefined
  readonly metrics: Metrics
  readonly logger: Logger
  readonly now: () => number
}

export function realUpstream(_parts: RealUpstreamParts): Upstream {
  throw new Error('not yet')
}
