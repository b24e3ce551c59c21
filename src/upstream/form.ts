import type { OrderedKey, TokenOrder } from '../tokens/issuer.js'

/** What is a matter between the caller and us. */
const OURS: ReadonlySet<string> = new Set(['customerAuthenticator', 'errorFormat', 'playerConfig'])
const MOMENTS: ReadonlySet<string> = new Set(['expirationTime', 'rental.periodEndTime'])

/**
 * The parameters that the real service is sent: those of the caller in their own words, so that a time which counts
 * from now does so there. Only what the real service can't know is put in: a key that our storage unwrapped.
 */
export function upstreamParameters(
  { parameters, keys }: TokenOrder,
  unknown: 'pass' | 'drop',
): Readonly<Record<string, string>> {
  const form: Record<string, string> = { errorFormat: 'json' }
  for (const [name, value] of Object.entries(parameters.whole)) if (!OURS.has(name)) form[name] = asMeant(name, value)
  for (const [index, { suffix, values }] of parameters.keys.entries())
    for (const [name, value] of Object.entries(resolved(values, keys[index])))
      form[name + suffix] = asMeant(name, value)
  if (unknown === 'pass') for (const [name, value] of parameters.ignored) form[name] = value
  return form
}

/** A kek without an ek names a key in a key storage: ours has given the content key, or it is the upstream's to find. */
function resolved(values: Readonly<Record<string, string>>, key: OrderedKey | undefined) {
  const { kek, ...others } = values
  if (kek === undefined || values.ek !== undefined || key?.contentKey === undefined) return values
  return { ...others, contentKey: key.contentKey }
}

/** A bare `+` in a query has become a space (spec: playready-token.md); the real service may not know that. */
function asMeant(name: string, value: string): string {
  return MOMENTS.has(name) ? value.replace(/^ (?=\d+$)/, '+') : value
}
