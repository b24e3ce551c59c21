import type { LicenceDrm } from './ledger/ledger.js'

/** Where key requests go, in the documented form (spec: licence.md). */
export const LICENCE_PATHS = {
  playready: '/playready/RightsManager.asmx',
  widevine: '/hms/wv/rights/',
  fairplay: '/hms/fp/rights/',
  clearkey: '/hms/ck/rights/',
} as const satisfies Record<LicenceDrm, string>

export interface Addressed {
  readonly useHttps: boolean
  /** The host that the client addressed, as its Host header says. */
  readonly host: string
}

/** Where PlayReady clients reach us: at `PUBLIC_URL`, and without one at the host that the request was sent to. */
export function playreadyUrl(publicUrl: URL | undefined, { useHttps, host }: Addressed): string {
  const base = publicUrl === undefined ? host : `${publicUrl.host}${publicUrl.pathname}`
  return `${useHttps ? 'https' : 'http'}://${base.replace(/\/$/, '')}${LICENCE_PATHS.playready}`
}

/** Where Clear Key clients reach the service that has this URL for PlayReady clients. */
export function clearKeyUrl(playreadyUrl: string): string {
  return playreadyUrl.replace(LICENCE_PATHS.playready, LICENCE_PATHS.clearkey)
}
