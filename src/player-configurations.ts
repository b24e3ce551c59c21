import { TOKEN_NAME } from '../schemas/licences.js'
import type { KeySystemConfig, PlayerConfig } from '../schemas/player-config.js'
import type { IssuedToken, TokenFamily } from './drm/family.js'
import { urlWithToken } from './drm/licence-urls.js'

/** Where each player wants the licence URL and the token of it, for its DRM and, where there is a URL for it, Clear Key. */
export function playerConfigOf(
  { licenseAcquisitionUrl, token }: IssuedToken,
  { drm, keySystem }: TokenFamily,
  clearKeyUrl: string | undefined,
): PlayerConfig {
  return {
    ...(keySystem === undefined
      ? {}
      : { [drm]: configOf({ keySystem, url: licenseAcquisitionUrl, headers: { [TOKEN_NAME]: token } }) }),
    ...(clearKeyUrl === undefined ? {} : { clearkey: clearKeyConfig(clearKeyUrl, token) }),
  }
}

/** With the token in the URL, so that players need no header, and browsers no preflight for it. */
function clearKeyConfig(clearKeyUrl: string, token: string): KeySystemConfig {
  return configOf({
    keySystem: 'org.w3.clearkey',
    url: urlWithToken({ licenseAcquisitionUrl: clearKeyUrl, token }),
    headers: {},
    shakaHeaders: { [TOKEN_NAME]: token },
  })
}

interface KeySystem {
  readonly keySystem: string
  readonly url: string
  readonly headers: Record<string, string>
  /** shaka-player prefers the Clear Key URL of a manifest to this one, and that has no token. */
  readonly shakaHeaders?: Record<string, string>
}

function configOf({ keySystem, url, headers, shakaHeaders = headers }: KeySystem): KeySystemConfig {
  return {
    shaka: { drm: { servers: { [keySystem]: url }, advanced: { [keySystem]: { headers: shakaHeaders } } } },
    dashjs: { [keySystem]: { serverURL: url, httpRequestHeaders: headers, withCredentials: false } },
    eme: { keySystem, configurations, licenseRequest: { url, method: 'POST', headers } },
  }
}

/** Browsers want a codec to say whether they can; these are what every one of them has. */
const configurations = [
  {
    initDataTypes: ['cenc'],
    videoCapabilities: [{ contentType: 'video/mp4; codecs="avc1.42E01E"' }],
    audioCapabilities: [{ contentType: 'audio/mp4; codecs="mp4a.40.2"' }],
  },
]
