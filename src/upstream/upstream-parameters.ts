import type { ParameterText, SortedParameters } from '../../schemas/sorting.js'
import type { OrderedKey, TokenOrder } from '../tokens/issuer.js'

/** Parameters between the caller and this service. */
const OURS: ReadonlySet<string> = new Set(['customerAuthenticator', 'errorFormat', 'playerConfig'])
/** Parameters that each key has for itself, beside those that name it. */
const OF_ONE_KEY: ReadonlySet<string> = new Set(['contentKey', 'kek', 'ek'])
const MOMENTS: ReadonlySet<string> = new Set(['expirationTime', 'rental.periodEndTime'])

/**
 * The parameters for the real service: the caller's own texts, so that a relative time counts from the arrival there.
 * The only addition is what the real service can't know: a key from our key storage.
 */
export function upstreamParameters(
  { source: { parameters }, keys, family }: TokenOrder,
  unknown: 'pass' | 'drop',
): Readonly<Record<string, ParameterText>> {
  // No prototype, because a caller may name a parameter `__proto__`.
  const form: Record<string, ParameterText> = Object.assign(Object.create(null), { errorFormat: 'json' })
  if (unknown === 'pass') Object.assign(form, passedOn(parameters))
  for (const [name, value] of Object.entries(parameters.whole)) if (!OURS.has(name)) form[name] = withPlus(name, value)
  const perKey = parameters.keys.map(({ suffix, values }, index) => ({ suffix, values: resolved(values, keys[index]) }))
  for (const { suffix, values } of perKey)
    for (const [name, value] of Object.entries(values)) {
      // Values common to all keys are sent once, as public clients do (spec: playready-token.md).
      const isOfOneKey = OF_ONE_KEY.has(name) || family.keySchema.identifiers.includes(name)
      const isShared = !isOfOneKey && perKey.every(other => other.values[name] === value)
      form[isShared ? name : name + suffix] = withPlus(name, value)
    }
  return form
}

/** The unknown parameters, except names that the real service may confuse with one that we send or check. */
function passedOn({ ignored, variants }: SortedParameters): Readonly<Record<string, string>> {
  return Object.fromEntries([...ignored].filter(([name]) => !variants.has(name)))
}

/** A kek without an ek names a stored key. Either our key storage has unwrapped it, or the upstream has to find it. */
function resolved(
  values: Readonly<Record<string, ParameterText>>,
  key: OrderedKey | undefined,
): Readonly<Record<string, ParameterText>> {
  if (values.kek === undefined || values.ek !== undefined || key?.contentKey === undefined) return values
  const { kek: _, ...others } = values
  return { ...others, contentKey: key.contentKey }
}

/** A bare `+` in a query has become a space (spec: playready-token.md); the real service may not know that. */
function withPlus(name: string, value: ParameterText): ParameterText {
  return MOMENTS.has(name) && typeof value === 'string' ? value.replace(/^ (?=\d+$)/, '+') : value
}
