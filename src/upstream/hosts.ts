import type { Environment } from '../environment.js'

/** The real service's hosts, and the only place that names them (spec: README.md). */
const PRODUCTION_DOMAINS = {
  europe: 'service.expressplay.com',
  china: 'service.expressplay.cn',
} as const
const TEST_DOMAIN = 'test.expressplay.com'

export type Region = keyof typeof PRODUCTION_DOMAINS
export const REGIONS = ['europe', 'china'] as const satisfies readonly Region[]

/** A token host makes tokens, a licence host redeems them; each DRM has its own. The transaction log is at `api`. */
export type UpstreamHost = 'pr-gen' | 'pr' | 'wv' | 'fp' | 'api'

export function upstreamHost(host: UpstreamHost, environment: Environment, region: Region): URL {
  return new URL(`https://${host}.${environment === 'test' ? TEST_DOMAIN : PRODUCTION_DOMAINS[region]}`)
}
