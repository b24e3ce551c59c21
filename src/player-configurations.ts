import { TOKEN_NAME } from '../schemas/licences.js'
import type { KeySystemConfig, PlayerConfig } from '../schemas/player-config.js'
import type { IssuedToken, TokenFamily } from './drm/family.js'
import { urlWithToken } from './drm/licence-urls.js'

const CLEAR_KEY_SYSTEM = 'org.w3.clearkey'
const FAIRPLAY_SYSTEM = 'com.apple.fps'

/** How each player wants the licence URL: for the token's DRM, if browsers have it, and for Clear Key, if the service has it. */
export function playerConfigOf(
  { licenseAcquisitionUrl, token }: IssuedToken,
  { drm, keySystem }: TokenFamily,
  clearKeyUrl: string | undefined,
): PlayerConfig {
  const config: Record<string, KeySystemConfig> = {}
  if (keySystem !== undefined) config[drm] = configOf(keySystem, { licenseAcquisitionUrl, token })
  if (clearKeyUrl !== undefined)
    config.clearkey = configOf(CLEAR_KEY_SYSTEM, { licenseAcquisitionUrl: clearKeyUrl, token })
  return config
}

/** The token is in the URL: every version of every player sends that, and no browser makes a preflight for it. */
function configOf(keySystem: string, issued: IssuedToken): KeySystemConfig {
  const url = urlWithToken(issued)
  const isFairplay = keySystem === FAIRPLAY_SYSTEM
  // shaka-player prefers the Clear Key URL of a manifest to this one, and that has no token.
  const shakaHeaders: Record<string, string> = keySystem === CLEAR_KEY_SYSTEM ? { [TOKEN_NAME]: issued.token } : {}
  const licenseRequest = { url, method: 'POST', headers: {} } as const
  return {
    shaka: { drm: { servers: { [keySystem]: url }, advanced: { [keySystem]: { headers: shakaHeaders } } } },
    dashjs: { [keySystem]: { serverURL: url, httpRequestHeaders: {}, withCredentials: false } },
    hlsjs: { emeEnabled: true, drmSystems: { [keySystem]: { licenseUrl: url } } },
    videojs: { keySystems: { [keySystem]: isFairplay ? { licenseUri: url } : { url } } },
    rxplayer: { keySystem: { type: keySystem }, licenseRequest },
    eme: { keySystem, configurations: configurations(isFairplay ? ['sinf', 'skd'] : ['cenc']), licenseRequest },
  }
}

/** Browsers want a codec to say whether they can; these are what every one of them has. */
function configurations(initDataTypes: string[]): KeySystemConfig['eme']['configurations'] {
  return [
    {
      initDataTypes,
      videoCapabilities: [{ contentType: 'video/mp4; codecs="avc1.42E01E"' }],
      audioCapabilities: [{ contentType: 'audio/mp4; codecs="mp4a.40.2"' }],
    },
  ]
}
