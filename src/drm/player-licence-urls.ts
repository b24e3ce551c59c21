import type { LicenceUrls } from '../../schemas/pssh.js'
import { fairplay } from './fairplay-family.js'
import { type Addressed, clearKeyUrl, licenceUrl } from './licence-urls.js'
import { playready } from './playready-family.js'
import { widevine } from './widevine-family.js'

/** Where the players of each DRM that browsers have ask this service, without a token. */
export function playerLicenceUrls(publicUrl: URL | undefined, addressed: Addressed): LicenceUrls {
  const url = licenceUrl(playready, publicUrl, addressed)
  return {
    playready: url,
    widevine: licenceUrl(widevine, publicUrl, addressed),
    fairplay: licenceUrl(fairplay, publicUrl, addressed),
    clearkey: clearKeyUrl(playready, url),
  }
}
