import { clearKey } from './drm/clear-key.js'
import type { TokenFamily } from './drm/family.js'
import { licenceHostOf } from './ground/real-hosts.js'

export interface Addressed {
  /** What the request says about the scheme. */
  readonly useHttps: boolean | undefined
  /** The host that the client addressed, as its Host header says. */
  readonly host: string
}

/**
 * The licence URL of a token: at `PUBLIC_URL`; without one at the host that the request was sent to, or at the licence
 * host of that name. `useHttps` decides the scheme, then `PUBLIC_URL`, then the DRM.
 */
export function licenceUrl(
  { licenceHost: { label, scheme: usual }, licences }: TokenFamily,
  publicUrl: URL | undefined,
  { useHttps, host }: Addressed,
): string {
  const scheme = useHttps === undefined ? (publicUrl?.protocol ?? usual) : useHttps ? 'https:' : 'http:'
  const base = publicUrl === undefined ? licenceHostOf(host, label) : `${publicUrl.host}${publicUrl.pathname}`
  return `${scheme}//${base.replace(/\/$/, '')}${licences.path}`
}

/** Where Clear Key clients reach the service that has this licence URL for a family's own clients. */
export function clearKeyUrl({ licences }: TokenFamily, licenceUrl: string): string {
  return licenceUrl.replace(licences.path, clearKey.path)
}
