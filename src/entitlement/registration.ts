import type { RequestedPolicy } from '../../schemas/policy.js'
import type { ParameterText } from '../../schemas/sorting.js'
import type { TokenFamily } from '../drm/family.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'
import type { LicensedContent } from './terms.js'

/** The key id of the dummy content: the SHA-1 of `expressplay-device-registration`, as for every `^` name. */
export const REGISTRATION_KID = '0757fb538db8eea3c27f344f316a5f52'

/** Long enough for a player to start, short enough that a token cannot be stored for a later registration. */
const SECONDS = 600

/**
 * The dummy content of a registration. Its key encrypts nothing, so each registration gets a random one. Its token is
 * redeemed at the same endpoint as the token of the wanted content.
 */
export function registrationContent(
  { openPolicy: policy }: TokenFamily,
  useHttps: boolean | undefined,
  random: Randomness,
): LicensedContent {
  return {
    keys: [
      {
        kid: REGISTRATION_KID,
        contentKey: randomBytes(random, 16).toString('hex'),
        kek: undefined,
        ek: undefined,
      },
    ],
    policy: { policy, useHttps, parameters: parametersOf({ ...policy, useHttps }) },
    duration: SECONDS,
  }
}

/** A policy in the words of a token request. */
function parametersOf(policy: RequestedPolicy): Record<string, ParameterText> {
  const given = Object.entries(policy).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    given.map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)]),
  )
}
