import type { Environment } from '../ground/environment.js'
import { PRODUCTION_DOMAINS, TEST_DOMAIN } from '../ground/real-hosts.js'

export type Region = keyof typeof PRODUCTION_DOMAINS
export const REGIONS = ['europe', 'china'] as const satisfies readonly Region[]

/** A token host makes tokens, a licence host redeems them; each DRM has its own. The transaction log is at `api`. */
export type UpstreamHost = 'pr-gen' | 'pr' | 'wv' | 'fp' | 'api'

export function upstreamHost(host: UpstreamHost, environment: Environment, region: Region): URL {
  return new URL(`https://${host}.${environment === 'test' ? TEST_DOMAIN : PRODUCTION_DOMAINS[region]}`)
}
