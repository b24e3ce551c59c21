import { errorFormat } from '../../../schemas/credentials.js'
import type { ParameterText } from '../../../schemas/sorting.js'
import { tokenRequestParameters } from '../../../schemas/token-request.js'
import { Families } from '../../drm/families.js'
import { isSecret } from '../secret-finder.js'
import type { UpstreamRequest } from '../token-exchange.js'

type Parameters = UpstreamRequest['parameters']

/** The parameters that a recording shows, and the names of those that it hides; both in the order of their names. */
export function withoutSecretValues(parameters: Parameters) {
  const named = Object.entries(parameters)
    .filter(([name]) => isTellable(name))
    .sort(([one], [other]) => (one < other ? -1 : 1))
  return {
    parameters: Object.fromEntries(named.filter(([name, value]) => isShown(name, value))),
    secrets: named.filter(([name, value]) => !isShown(name, value)).map(([name]) => name),
  }
}

/** What a recording does not show, keys among it. */
export function hiddenValues(parameters: Parameters): string[] {
  return Object.entries(parameters).flatMap(([name, value]) => (isShown(name, value) ? [] : [value].flat()))
}

/**
 * Whether a name can be written down: where a value is missing, the secret is the name. What reads JSON leaves out
 * `__proto__`.
 */
export function isTellable(name: string): boolean {
  return isDocumented(name) || (/^(?!__proto__$)[\w.-]{1,40}$/.test(name) && !/[0-9a-f]{32}/i.test(name))
}

/**
 * A recording is shared with a team, and nobody knows what a parameter is that is not documented: `sig`, `pin`. As the
 * real service ignores it, no answer depends on it.
 */
function isShown(name: string, value: ParameterText): boolean {
  return !isSecret(name, value) && (isDocumented(name) || SENT_BY_CLIENTS.has(name) || SAYS_NOTHING.test(String(value)))
}

/** Of public clients (spec: playready-token.md, unknown parameters). */
const SENT_BY_CLIENTS: ReadonlySet<string> = new Set(['prFlag', 'actionTokenType'])
const SAYS_NOTHING = /^(?:true|false|\d?)$/

const documented = new Families().tokens.map(({ keySchema, policySchema }) =>
  tokenRequestParameters(
    keySchema,
    policySchema(() => 0),
    () => 0,
  ),
)
const PER_KEY = namesOf(documented.flatMap(({ keys, policy }) => [keys, policy]))
const PER_TOKEN = namesOf([{ errorFormat }, ...documented.map(({ restrictions }) => restrictions)])

function namesOf(groups: readonly object[]): ReadonlySet<string> {
  return new Set(groups.flatMap(group => Object.keys(group)))
}

function isDocumented(name: string): boolean {
  return PER_TOKEN.has(name) || PER_KEY.has(name.replace(/\.\d{1,9}$/, ''))
}
