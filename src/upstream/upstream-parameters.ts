import type { ParameterText, SortedParameters } from '../../schemas/sorting.js'
import type { OrderedKey, TokenOrder } from '../tokens/issuer.js'

/** What is a matter between the caller and us. */
const OURS: ReadonlySet<string> = new Set(['customerAuthenticator', 'errorFormat', 'playerConfig'])
/** What each key has of its own. */
const OF_ONE_KEY: ReadonlySet<string> = new Set(['kid', 'contentKey', 'kek', 'ek'])
const MOMENTS: ReadonlySet<string> = new Set(['expirationTime', 'rental.periodEndTime'])

/**
 * The parameters that the real service is sent: those of the caller in their own words, so that a time which counts
 * from now does so there. Only what the real service can't know is put in: a key that our storage unwrapped.
 */
export function upstreamParameters(
  { source: { parameters }, keys }: TokenOrder,
  unknown: 'pass' | 'drop',
): Readonly<Record<string, ParameterText>> {
  // Without a prototype, so that callers may name a parameter `__proto__`.
  const form: Record<string, ParameterText> = Object.assign(Object.create(null), { errorFormat: 'json' })
  if (unknown === 'pass') Object.assign(form, passedOn(parameters))
  for (const [name, value] of Object.entries(parameters.whole)) if (!OURS.has(name)) form[name] = asMeant(name, value)
  const perKey = parameters.keys.map(({ suffix, values }, index) => ({ suffix, values: resolved(values, keys[index]) }))
  for (const { suffix, values } of perKey)
    for (const [name, value] of Object.entries(values)) {
      // What holds for all keys is said once, as public clients do (spec: playready-token.md).
      const isShared = !OF_ONE_KEY.has(name) && perKey.every(other => other.values[name] === value)
      form[isShared ? name : name + suffix] = asMeant(name, value)
    }
  return form
}

/** What is unknown, but for names that the real service may take for one that we send, or check, ourselves. */
function passedOn({ ignored, variants }: SortedParameters): Readonly<Record<string, string>> {
  return Object.fromEntries([...ignored].filter(([name]) => !variants.has(name)))
}

/** A kek without an ek names a key in a key storage: ours has given the content key, or it is the upstream's to find. */
function resolved(
  values: Readonly<Record<string, ParameterText>>,
  key: OrderedKey | undefined,
): Readonly<Record<string, ParameterText>> {
  const { kek, ...others } = values
  if (kek === undefined || values.ek !== undefined || key?.contentKey === undefined) return values
  return { ...others, contentKey: key.contentKey }
}

/** A bare `+` in a query has become a space (spec: playready-token.md); the real service may not know that. */
function asMeant(name: string, value: ParameterText): ParameterText {
  return MOMENTS.has(name) && typeof value === 'string' ? value.replace(/^ (?=\d+$)/, '+') : value
}
