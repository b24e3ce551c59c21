import type { Content, ContentKey } from '../../schemas/content-entry.js'
import type { KeyRequest } from '../../schemas/keys.js'
import type { ContentPolicy, TokenPolicy } from '../../schemas/policy.js'
import type { ParameterText, SortedParameters } from '../../schemas/sorting.js'
import type { TokenTerms } from '../../schemas/token-request.js'
import type { TokenFamily } from '../drm/family.js'
import { EntitlementRefusal } from '../errors/entitlement-refusal.js'
import type { Now } from '../ground/clock.js'
import { unwrapKey } from '../keys/key-wrap.js'
import type { Account } from '../store/account-records.js'
import type { TokenSource } from '../tokens/token-steps.js'

/** A content with the policy of the DRM that its token is for. */
export type LicensedContent = Pick<Content, 'keys' | 'duration' | 'until'> & { readonly policy: ContentPolicy }

type Lifetime = Pick<Content, 'duration' | 'until'>

/** The lifetime of a token issued now, in seconds: it never outlives the content. */
export function lifeOf({ duration, until }: Lifetime, now: number): number {
  if (until === undefined) return duration
  // The real service takes whole seconds.
  const left = Math.floor((until - now) / 1000)
  if (left < 1) throw new EntitlementRefusal('over')
  return Math.min(duration, left)
}

/** The most milliseconds until a request reaches the real service: the highest UPSTREAM_TIMEOUT. */
const MAX_TRANSIT_MS = 120_000

/**
 * The same lifetime as a token request parameter. `+seconds` count from the moment at which the real service gets them,
 * so close to the end of a content the request has the absolute end instead, in whole seconds.
 */
function expirationFor({ duration, until }: Lifetime, life: number, now: number): string {
  if (until === undefined || until - now - duration * 1000 > MAX_TRANSIT_MS) return `+${life}`
  const end = Math.min(Math.floor(until / 1000), Math.floor(now / 1000) + duration)
  return new Date(end * 1000).toISOString().replace('.000', '')
}

/** The policy of a licence granted now. */
export function policyAt({ policy, rentalSeconds }: ContentPolicy, now: number): TokenPolicy {
  if (rentalSeconds !== undefined) return { ...policy, 'rental.periodEndTime': now + rentalSeconds * 1000 }
  const end = policy['rental.periodEndTime']
  if (end !== undefined && end <= now) throw new EntitlementRefusal('over', { details: 'its rental period has ended' })
  return policy
}

/** Who gets the token, as far as known. */
export interface Grantee {
  readonly account: Pick<Account, 'id'>
  readonly cookie: string | undefined
  readonly deviceId: string | undefined
}

/** Makes tokens from a content of the catalogue. */
export class ContentSource implements TokenSource {
  findDevice?: () => Promise<string>
  readonly #grantee: Grantee
  readonly #now: Now
  #present = 0

  constructor(
    readonly family: TokenFamily,
    public content: LicensedContent,
    grantee: Grantee,
    now: Now,
  ) {
    this.#grantee = grantee
    this.#now = now
  }

  readKeys(): readonly KeyRequest[] {
    return this.content.keys.map(key => (this.#takes('algId') ? key : { ...key, algId: undefined }))
  }

  readTerms(): TokenTerms {
    this.#present = this.#now(this.#grantee.account.id)
    const life = lifeOf(this.content, this.#present)
    const policy = policyAt(this.content.policy, this.#present)
    const { cookie } = this.#grantee
    return {
      policies: this.content.keys.map(({ iv }) => (this.#takes('iv') && iv !== undefined ? { ...policy, iv } : policy)),
      restrictions: {
        expirationTime: this.#present + life * 1000,
        deviceId: undefined,
        ipAddress: undefined,
        cookie,
      },
      useHttps: this.content.policy.useHttps,
    }
  }

  /** Call it after `readTerms`. */
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
      keys: keys.map((key, index) => ({
        suffix: keys.length === 1 ? '' : `.${index}`,
        values: { ...policy.parameters, ...this.#keyParameters(key) },
      })),
      ignored: new Map(),
      variants: new Set(),
      faults: [],
    }
  }

  /** What a token request of this DRM says of a key. */
  #keyParameters(key: ContentKey): Record<string, ParameterText> {
    const { keySchema, algorithm } = this.family
    const { kid, contentKey, kek, ek, iv } = keySchema.wrapsWithoutKid ? unwrapped(key) : key
    return {
      kid,
      ...(contentKey !== undefined && { contentKey }),
      ...(kek !== undefined && { kek: kek.toString('hex') }),
      ...(ek !== undefined && { ek: ek.toString('hex') }),
      ...(this.#takes('algId') && { algId: key.algId ?? algorithm }),
      ...(iv !== undefined && this.#takes('iv') && { iv }),
    }
  }

  /** Not every DRM has these parameters. */
  #takes(parameter: 'algId' | 'iv'): boolean {
    return parameter === 'iv' ? 'iv' in this.family.openPolicy : 'algId' in this.family.keySchema.parameters
  }
}

/** The KID identifies one of several keys, so the wrapping goes instead of it. */
function unwrapped(key: ContentKey): ContentKey {
  const { kek, ek } = key
  if (kek === undefined || ek === undefined) return key
  return { ...key, contentKey: unwrapKey(kek, ek)?.toString('hex'), kek: undefined, ek: undefined }
}
