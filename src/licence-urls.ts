const PLAYREADY = '/playready/RightsManager.asmx'
const CLEAR_KEY = '/hms/ck/rights/'

export interface Addressed {
  readonly useHttps: boolean
  /** The host that the client addressed, as its Host header says. */
  readonly host: string
}

/** Where PlayReady clients reach us: at `PUBLIC_URL`, and without one at the host that the request was sent to. */
export function playreadyUrl(publicUrl: URL | undefined, { useHttps, host }: Addressed): string {
  const base = publicUrl === undefined ? host : `${publicUrl.host}${publicUrl.pathname}`
  return `${useHttps ? 'https' : 'http'}://${base.replace(/\/$/, '')}${PLAYREADY}`
}

/** Where Clear Key clients reach the service that has this URL for PlayReady clients. */
export function clearKeyUrl(playreadyUrl: string): string {
  return playreadyUrl.replace(PLAYREADY, CLEAR_KEY)
}
