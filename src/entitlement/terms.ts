import type { SortedParameters } from '../../schemas/sorting.js'
import type { TokenPolicy } from '../tokens/content.js'
import type { Content } from './content.js'
import { EntitlementRefusal } from './refusals.js'

/** The policy of a licence that is granted now. */
export function policyAt({ policy: { policy, rentalSeconds } }: Content, now: number): TokenPolicy {
  if (rentalSeconds !== undefined) return { ...policy, 'rental.periodEndTime': now + rentalSeconds * 1000 }
  const end = policy['rental.periodEndTime']
  if (end !== undefined && end <= now) throw new EntitlementRefusal('over', { details: 'its rental period has ended' })
  return policy
}

/** A grant in the words of a token request, for the real service. */
export function contentParameters(
  { keys, policy: { parameters }, duration }: Content,
  { cookie, deviceId }: { readonly cookie: string | undefined; readonly deviceId: string | undefined },
): SortedParameters {
  return {
    whole: {
      expirationTime: `+${duration}`,
      ...(cookie !== undefined && { cookie }),
      ...(deviceId !== undefined && { deviceId }),
    },
    keys: keys.map(({ kid, contentKey, kek, ek, algId }, index) => ({
      suffix: keys.length === 1 ? '' : `.${index}`,
      values: {
        kid,
        ...(contentKey !== undefined && { contentKey }),
        ...(kek !== undefined && { kek: kek.toString('hex') }),
        ...(ek !== undefined && { ek: ek.toString('hex') }),
        algId,
        ...parameters,
      },
    })),
    ignored: new Map(),
    faults: [],
  }
}
