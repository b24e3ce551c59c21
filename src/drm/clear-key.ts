import { type ClearKeyLicence, readClearKeyRequest } from '../../schemas/licences.js'
import type { Redemption } from '../tokens/redemption-checks.js'
import type { LicenceFamily } from './family.js'

/** W3C's Clear Key: keys in the clear, for the DRM that every browser has. */
export const clearKey: LicenceFamily = {
  drm: 'clearkey',
  name: 'clearkey',
  path: '/hms/ck/rights/',
  refusals: 'json',
  read(body) {
    const request = readClearKeyRequest(body.toString('utf8'))
    const isFault = 'code' in request
    const type = isFault ? 'temporary' : request.type
    return {
      asked: isFault ? { fault: request } : { kids: request.kids },
      licence: redemption => ({
        contentType: 'application/json',
        text: JSON.stringify({ keys: redemption.keys.map(jwk), type } satisfies ClearKeyLicence),
      }),
    }
  },
}

function jwk({ kid, contentKey }: Redemption['keys'][number]): ClearKeyLicence['keys'][number] {
  return { kty: 'oct', kid: base64url(kid), k: base64url(contentKey) }
}

function base64url(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64url')
}
