import type { Scheme } from './playready-header.js'
import { WIDEVINE_SYSTEM } from './pssh-box.js'

export interface HlsSignalled {
  readonly scheme: Scheme
  readonly kid: string
  /** Both in base64. */
  readonly playready: { readonly object: string }
  readonly widevine: { readonly pssh: string }
}

export interface HlsLines {
  /** `EXT-X-KEY`, for a media playlist. */
  key: string[]
  /** `EXT-X-SESSION-KEY`, for the multivariant playlist. */
  sessionKey: string[]
}

/**
 * The lines of HLS playlists whose segments have this KID (RFC 8216, 4.3.2.4 and 4.3.4.5). Clear Key's is that of hls.js,
 * and others ignore it. FairPlay reads `cbcs` only.
 */
export function hlsLines({ scheme, kid, playready, widevine }: HlsSignalled): HlsLines {
  const method = scheme === 'cbcs' ? 'SAMPLE-AES' : 'SAMPLE-AES-CTR'
  const attributes = (uri: string, keyFormat: string, more = '') =>
    `METHOD=${method},URI="${uri}"${more},KEYFORMATVERSIONS="1",KEYFORMAT="${keyFormat}"`
  const all = [
    attributes(`data:text/plain;base64,${widevine.pssh}`, `urn:uuid:${WIDEVINE_SYSTEM}`, `,KEYID=0x${kid}`),
    attributes(`data:text/plain;charset=UTF-16;base64,${playready.object}`, 'com.microsoft.playready'),
    attributes(`data:text/plain;base64,${Buffer.from(kid, 'hex').toString('base64')}`, 'org.w3.clearkey'),
    ...(scheme === 'cbcs' ? [attributes(`skd://${kid}`, 'com.apple.streamingkeydelivery')] : []),
  ]
  return { key: all.map(one => `#EXT-X-KEY:${one}`), sessionKey: all.map(one => `#EXT-X-SESSION-KEY:${one}`) }
}
