import type { Content } from '../../schemas/catalogue.js'
import type { TokenFamily } from '../drm/family.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'

/** The key id of the dummy content: the SHA-1 of `expressplay-device-registration`, as for every `^` name. */
export const REGISTRATION_KID = '0757fb538db8eea3c27f344f316a5f52'

/** Long enough for a player to start, short enough that a token cannot be stored for a later registration. */
const SECONDS = 600

/**
 * The dummy content of a registration. Its key encrypts nothing, so each registration gets a random one. Its token is
 * redeemed at the same endpoint as the token of the wanted content.
 */
export function registrationContent(wanted: Content, { openPolicy: policy }: TokenFamily, random: Randomness): Content {
  const parameters = Object.fromEntries(Object.entries(policy).map(([name, value]) => [name, String(value)]))
  const { useHttps } = wanted.policy
  return {
    contentID: '',
    drm: wanted.drm,
    keys: [
      {
        kid: REGISTRATION_KID,
        contentKey: randomBytes(random, 16).toString('hex'),
        kek: undefined,
        ek: undefined,
        algId: 'aesctr',
      },
    ],
    policy: {
      policy,
      useHttps,
      parameters: useHttps === undefined ? parameters : { ...parameters, useHttps: String(useHttps) },
    },
    duration: SECONDS,
    viewers: 'everyone',
  }
}
