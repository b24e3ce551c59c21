import type { StandInLicence } from '../../schemas/licences.js'
import type { PolicyValue, TokenPolicy } from '../../schemas/policy.js'
import type { LicenceDrm } from '../ground/drms.js'
import type { Redemption } from '../tokens/token-redemption.js'
import type { LicenceFamily } from './family.js'

/** Families whose challenges nobody but the DRM can read, and whose licences nobody but the DRM can make. */
export const widevine = opaqueFamily('widevine', '/hms/wv/rights/')
export const fairplay = opaqueFamily('fairplay', '/hms/fp/rights/')

function opaqueFamily(drm: LicenceDrm, path: string): LicenceFamily {
  return {
    drm,
    path,
    refusals: 'json',
    read: () => ({
      asked: { kids: 'all' },
      licence: redemption => ({ contentType: 'application/json', text: JSON.stringify(standIn(redemption)) }),
    }),
  }
}

export const NOTE = "An emulator's stand-in: it says what a licence would grant, and no device can play with it."

/** What is granted, without the keys: those are for the DRM alone. */
export function standIn({ token, keys }: Redemption): StandInLicence {
  return {
    emulated: true,
    playable: false,
    note: NOTE,
    tokenId: token.id,
    expiresAt: new Date(token.expiresAt).toISOString(),
    licences: keys.map(({ kid, algId, policy }) => ({ kid, algId, policy: shownPolicy(policy) })),
  }
}

/** A policy in the words of the token request. */
export function shownPolicy(policy: TokenPolicy): Record<string, ShownValue> {
  const given = Object.entries(policy).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given.map(([name, value]) => [name, shownValue(name, value)]))
}

type ShownValue = StandInLicence['licences'][number]['policy'][string]

function shownValue(name: string, value: PolicyValue | undefined): ShownValue {
  if (Array.isArray(value)) return value.map(String)
  if (Buffer.isBuffer(value)) return value.toString('base64')
  if (name === 'rental.periodEndTime') return new Date(Number(value)).toISOString()
  return typeof value === 'number' ? value : String(value)
}
