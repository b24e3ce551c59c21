import type { ParameterText } from '../../schemas/sorting.js'
import type { UpstreamRequest } from './exchange.js'
import { SecretFinder } from './secret-finder.js'

const SECRET = /^(?:contentKey|kek|ek)(?:\.\d+)?$/
/** The documented parameters that look like keys and are none. */
const PUBLIC = /^(?:kid(?:\.\d+)?|deviceId|cookie|extensionPayload(?:\.\d+)?)$/
const LIKE_A_KEY = /[0-9a-f]{32,}/i

/** A misspelt contentKey is a content key, too. */
export function isSecret(name: string, value: ParameterText): boolean {
  return SECRET.test(name) || (!PUBLIC.test(name) && [value].flat().some(one => LIKE_A_KEY.test(one)))
}

/** The keys of a request, and the real service's authenticator. */
export function secretsOf({ authenticator, parameters }: Pick<UpstreamRequest, 'authenticator' | 'parameters'>) {
  const keys = Object.entries(parameters).flatMap(([name, value]) => (isSecret(name, value) ? [value].flat() : []))
  return [authenticator, authenticator.replace(/^\d+,/, ''), ...keys]
}

/** A text of the real service, without what of the request's secrets it repeats. */
export function withoutSecrets(text: string, request: UpstreamRequest): string {
  return new SecretFinder(secretsOf(request)).without(text)
}
