import type { Content } from '../../schemas/catalogue.js'
import type { KeyRequest } from '../../schemas/keys.js'
import type { TokenPolicy } from '../../schemas/policy.js'
import type { SortedParameters } from '../../schemas/sorting.js'
import type { TokenTerms } from '../../schemas/token-request.js'
import type { TokenFamily } from '../drm/family.js'
import { EntitlementRefusal } from '../errors/entitlement-refusal.js'
import type { Now } from '../ground/clock.js'
import type { TokenSource } from '../tokens/token-steps.js'

/** How many seconds a token that is made now can be redeemed: never longer than the content is there. */
export function lifeOf({ duration, until }: Content, now: number): number {
  if (until === undefined) return duration
  // Whole seconds, because the real service is asked in such.
  const left = Math.floor((until - now) / 1000)
  if (left < 1) throw new EntitlementRefusal('over')
  return Math.min(duration, left)
}

/** No longer may it take until the real service has got a request, in milliseconds: that is the highest UPSTREAM_TIMEOUT. */
const LONGEST_WAY = 120_000

/**
 * The same life in the words of a token request. `+seconds` count from when the real service gets them, so near its end
 * a content has its end told by the clock, in whole seconds.
 */
function expirationFor({ duration, until }: Content, life: number, now: number): string {
  if (until === undefined || until - now - duration * 1000 > LONGEST_WAY) return `+${life}`
  const end = Math.min(Math.floor(until / 1000), Math.floor(now / 1000) + duration)
  return new Date(end * 1000).toISOString().replace('.000', '')
}

/** The policy of a licence that is granted now. */
export function policyAt({ policy: { policy, rentalSeconds } }: Content, now: number): TokenPolicy {
  if (rentalSeconds !== undefined) return { ...policy, 'rental.periodEndTime': now + rentalSeconds * 1000 }
  const end = policy['rental.periodEndTime']
  if (end !== undefined && end <= now) throw new EntitlementRefusal('over', { details: 'its rental period has ended' })
  return policy
}

/** Who gets the token, as far as it is known. */
export interface Grantee {
  readonly cookie: string | undefined
  readonly deviceId: string | undefined
}

/** What a token is made from that a content's catalogue describes. */
export class ContentSource implements TokenSource {
  findDevice?: () => Promise<string>
  readonly #grantee: Grantee
  readonly #now: Now
  #present = 0

  constructor(
    readonly family: TokenFamily,
    public content: Content,
    grantee: Grantee,
    now: Now,
  ) {
    this.#grantee = grantee
    this.#now = now
  }

  readKeys(): readonly KeyRequest[] {
    return this.content.keys
  }

  readTerms(): TokenTerms {
    this.#present = this.#now()
    const life = lifeOf(this.content, this.#present)
    const policy = policyAt(this.content, this.#present)
    const { cookie } = this.#grantee
    return {
      policies: this.content.keys.map(() => policy),
      restrictions: {
        expirationTime: this.#present + life * 1000,
        deviceId: undefined,
        ipAddress: undefined,
        cookie,
      },
      useHttps: this.content.policy.useHttps,
    }
  }

  /** Once its terms are read. */
  get parameters(): SortedParameters {
    const { keys, policy } = this.content
    const { cookie, deviceId } = this.#grantee
    const life = lifeOf(this.content, this.#present)
    return {
      whole: {
        expirationTime: expirationFor(this.content, life, this.#present),
        ...(cookie !== undefined && { cookie }),
        ...(deviceId !== undefined && { deviceId }),
      },
      keys: keys.map(({ kid, contentKey, kek, ek, algId }, index) => ({
        suffix: keys.length === 1 ? '' : `.${index}`,
        values: {
          ...policy.parameters,
          kid,
          ...(contentKey !== undefined && { contentKey }),
          ...(kek !== undefined && { kek: kek.toString('hex') }),
          ...(ek !== undefined && { ek: ek.toString('hex') }),
          algId,
        },
      })),
      ignored: new Map(),
      variants: new Set(),
      faults: [],
    }
  }
}
