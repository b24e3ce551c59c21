import { errorFormat } from '../../../schemas/credentials.js'
import type { ParameterText } from '../../../schemas/sorting.js'
import { tokenRequestParameters } from '../../../schemas/token-request.js'
import { Families } from '../../drm/families.js'
import { isSecret } from '../secret-finder.js'
import type { UpstreamRequest } from '../token-exchange.js'

type Parameters = UpstreamRequest['parameters']

/** The parameters that a recording shows, and the names of the hidden ones; both sorted by name. */
export function withoutSecretValues(parameters: Parameters) {
  const named = Object.entries(parameters)
    .filter(([name]) => isSafeName(name))
    .sort(([one], [other]) => (one < other ? -1 : 1))
  return {
    parameters: Object.fromEntries(named.filter(([name, value]) => isShown(name, value))),
    secrets: named.filter(([name, value]) => !isShown(name, value)).map(([name]) => name),
  }
}

/** The values that a recording hides, keys included. */
export function hiddenValues(parameters: Parameters): string[] {
  return Object.entries(parameters).flatMap(([name, value]) => (isShown(name, value) ? [] : [value].flat()))
}

/**
 * Whether a name may be recorded: a caller may send a secret as the name, without a value. Readers of JSON drop
 * `__proto__`.
 */
export function isSafeName(name: string): boolean {
  return isDocumented(name) || (/^(?!__proto__$)[\w.-]{1,40}$/.test(name) && !/[0-9a-f]{32}/i.test(name))
}

/**
 * Teams share recordings, and an undocumented parameter may be a secret: `sig`, `pin`. The real service ignores it, so
 * no answer depends on it.
 */
function isShown(name: string, value: ParameterText): boolean {
  return !isSecret(name, value) && (isDocumented(name) || SENT_BY_CLIENTS.has(name) || SAYS_NOTHING.test(String(value)))
}

/** Sent by public clients (spec: playready-token.md, unknown parameters). */
const SENT_BY_CLIENTS: ReadonlySet<string> = new Set(['prFlag', 'actionTokenType'])
const SAYS_NOTHING = /^(?:true|false|\d?)$/

const documented = new Families().tokens.map(family =>
  tokenRequestParameters(
    family,
    family.policySchema(() => 0),
    () => 0,
  ),
)
const PER_KEY = namesOf(documented.flatMap(({ keys, policy }) => [keys, policy]))
const PER_TOKEN = namesOf([{ errorFormat }, ...documented.flatMap(({ token, restrictions }) => [token, restrictions])])

function namesOf(groups: readonly object[]): ReadonlySet<string> {
  return new Set(groups.flatMap(group => Object.keys(group)))
}

function isDocumented(name: string): boolean {
  return PER_TOKEN.has(name) || PER_KEY.has(name.replace(/\.\d{1,9}$/, ''))
}
