import type { StandInLicence } from '../../schemas/licences.js'
import type { PolicyValue, TokenPolicy } from '../../schemas/policy.js'
import { NO_KID } from '../ground/drms.js'
import type { Redemption } from '../tokens/redemption-checks.js'
import type { Challenge, LicenceFamily } from './family.js'

/** Licences whose challenges and answers only the DRM's own servers can read and make. */
export function opaqueLicences(
  family: Pick<LicenceFamily, 'drm' | 'name' | 'path' | 'aliases' | 'tokenParameter' | 'answersGet' | 'otherDrm'>,
  read: (body: Buffer) => Partial<Challenge> = () => ({}),
): LicenceFamily {
  return {
    ...family,
    refusals: 'json',
    read: body => ({
      asked: { kids: 'all' },
      licence: redemption => ({ contentType: 'application/json', text: JSON.stringify(standIn(redemption)) }),
      ...read(body),
    }),
  }
}

const NOTE = "An emulator's stand-in: it says what a licence would grant, and no device can play with it."

/** What is granted, without the keys: those are for the DRM alone. */
export function standIn({ token, keys }: Redemption): StandInLicence {
  return {
    emulated: true,
    playable: false,
    note: NOTE,
    tokenId: token.id,
    expiresAt: new Date(token.expiresAt).toISOString(),
    licences: keys.map(({ kid, algId, policy }) => ({
      ...(kid === NO_KID ? {} : { kid }),
      algId,
      policy: presentPolicy(policy),
    })),
  }
}

/** A policy as parameters of a token request. */
export function presentPolicy(policy: TokenPolicy): Record<string, PresentedValue> {
  const given = Object.entries(policy).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given.map(([name, value]) => [name, presentValue(name, value)]))
}

type PresentedValue = StandInLicence['licences'][number]['policy'][string]

function presentValue(name: string, value: PolicyValue | undefined): PresentedValue {
  if (Array.isArray(value)) return value.map(String)
  if (Buffer.isBuffer(value)) return value.toString('base64')
  if (name === 'rental.periodEndTime') return new Date(Number(value)).toISOString()
  return typeof value === 'number' ? value : String(value)
}
