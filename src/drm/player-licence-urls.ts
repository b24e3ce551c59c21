import type { LicenceUrls } from '../../schemas/pssh.js'
import { fairplay } from './fairplay-family.js'
import { type Addressed, clearKeyUrl, licenceUrl, type ReachedAt } from './licence-urls.js'
import { playready } from './playready-family.js'
import { widevine } from './widevine-family.js'

/** Where the players of each DRM that browsers have ask this service, without a token. */
export function playerLicenceUrls(reachedAt: ReachedAt, addressed: Addressed): LicenceUrls {
  const url = licenceUrl(playready, reachedAt, addressed)
  return {
    playready: url,
    widevine: licenceUrl(widevine, reachedAt, addressed),
    fairplay: licenceUrl(fairplay, reachedAt, addressed),
    clearkey: clearKeyUrl(playready, url),
  }
}
