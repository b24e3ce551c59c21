import { errorFormat } from '../../../schemas/credentials.js'
import type { ParameterText } from '../../../schemas/sorting.js'
import { tokenRequestParameters } from '../../../schemas/token-request.js'
import { TOKEN_FAMILIES } from '../../drm/families.js'
import type { TokenFamily } from '../../drm/family.js'
import { isSecret } from '../secret-finder.js'
import type { UpstreamRequest } from '../token-exchange.js'

type Asked = Pick<UpstreamRequest, 'family' | 'parameters'>

/** The parameters that a recording shows, and the names of the hidden ones; both sorted by name. */
export function withoutSecretValues({ family, parameters }: Asked) {
  const names = namesOf(family)
  const named = Object.entries(parameters)
    .filter(([name]) => isSafeName(name, names))
    .sort(([one], [other]) => (one < other ? -1 : 1))
  return {
    parameters: Object.fromEntries(named.filter(([name, value]) => isShown(name, value, names))),
    secrets: named.filter(([name, value]) => !isShown(name, value, names)).map(([name]) => name),
  }
}

/** The values that a recording hides, keys included. */
export function hiddenValues({ family, parameters }: Asked): string[] {
  const names = namesOf(family)
  return Object.entries(parameters).flatMap(([name, value]) => (isShown(name, value, names) ? [] : [value].flat()))
}

/** The names among these that a recording of this family may show. */
export function safeNames(family: TokenFamily, names: readonly string[]): string[] {
  const documented = namesOf(family)
  return names.filter(name => isSafeName(name, documented))
}

/**
 * Whether a name may be recorded: a caller may send a secret as the name, without a value. Readers of JSON drop
 * `__proto__`.
 */
function isSafeName(name: string, names: DocumentedNames): boolean {
  return isDocumented(name, names) || (/^(?!__proto__$)[\w.-]{1,40}$/.test(name) && !/[0-9a-f]{32}/i.test(name))
}

/**
 * Teams share recordings, and an undocumented parameter may be a secret: `sig`, `pin`. The real service ignores it, so
 * no answer depends on it.
 */
function isShown(name: string, value: ParameterText, names: DocumentedNames): boolean {
  return (
    !isSecret(name, value) &&
    (isDocumented(name, names) || SENT_BY_CLIENTS.has(name) || SAYS_NOTHING.test(String(value)))
  )
}

/** Sent by public clients (spec: playready-token.md, unknown parameters). */
const SENT_BY_CLIENTS: ReadonlySet<string> = new Set(['prFlag', 'actionTokenType'])
const SAYS_NOTHING = /^(?:true|false|\d?)$/

/** The documented names of one DRM: those of another are unknown to it. */
interface DocumentedNames {
  readonly perKey: ReadonlySet<string>
  readonly perToken: ReadonlySet<string>
}

const NAMES: ReadonlyMap<TokenFamily, DocumentedNames> = new Map(
  TOKEN_FAMILIES.map(family => [family, documentedNames(family)]),
)

function namesOf(family: TokenFamily): DocumentedNames {
  return NAMES.get(family) ?? documentedNames(family)
}

function documentedNames(family: TokenFamily): DocumentedNames {
  const policy = family.policySchema(() => 0)
  const parameters = tokenRequestParameters(family, policy, () => 0)
  return {
    perKey: new Set(Object.keys({ ...parameters.keys, ...parameters.policy })),
    perToken: new Set(Object.keys({ errorFormat, ...parameters.token, ...parameters.restrictions })),
  }
}

function isDocumented(name: string, { perKey, perToken }: DocumentedNames): boolean {
  return perToken.has(name) || perKey.has(name.replace(/\.\d{1,9}$/, ''))
}
