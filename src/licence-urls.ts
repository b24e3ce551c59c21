import type { LicenceDrm } from './ground/drms.js'
import { licenceHostOf } from './ground/real-hosts.js'

/** Where key requests go, in the documented form (spec: licence.md). */
export const LICENCE_PATHS = {
  playready: '/playready/RightsManager.asmx',
  widevine: '/hms/wv/rights/',
  fairplay: '/hms/fp/rights/',
  clearkey: '/hms/ck/rights/',
} as const satisfies Record<LicenceDrm, string>

/** How the real service names the licence host of a DRM, and the scheme of its URLs (spec: real-names.md). */
const LICENCE_HOSTS = {
  playready: { label: 'pr', scheme: 'http:' },
} as const satisfies Partial<Record<LicenceDrm, { readonly label: string; readonly scheme: string }>>

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
  drm: keyof typeof LICENCE_HOSTS,
  publicUrl: URL | undefined,
  { useHttps, host }: Addressed,
): string {
  const { label, scheme: usual } = LICENCE_HOSTS[drm]
  const scheme = useHttps === undefined ? (publicUrl?.protocol ?? usual) : useHttps ? 'https:' : 'http:'
  const base = publicUrl === undefined ? licenceHostOf(host, label) : `${publicUrl.host}${publicUrl.pathname}`
  return `${scheme}//${base.replace(/\/$/, '')}${LICENCE_PATHS[drm]}`
}

/** Where Clear Key clients reach the service that has this URL for PlayReady clients. */
export function clearKeyUrl(playreadyUrl: string): string {
  return playreadyUrl.replace(LICENCE_PATHS.playready, LICENCE_PATHS.clearkey)
}
