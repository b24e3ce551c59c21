import type * as z from 'zod'
import type { Fault } from '../src/errors/error-catalogue.js'
import type { Now } from '../src/ground/clock.js'
import type { Texts } from './group.js'
import type { PlayreadyPolicy } from './playready.js'
import type { ParameterText } from './sorting.js'

/**
 * What a licence is bound to, by the names of the token request, whichever DRM it is for. The scheme of the licence URL is
 * for the answer alone.
 */
export type TokenPolicy = Partial<Omit<PlayreadyPolicy, 'useHttps'>> & {
  readonly [parameter: string]: PolicyValue | undefined
}

export type PolicyValue = string | number | boolean | Buffer | readonly PolicyValue[]

/** What the keys of one token request say, key by key. */
export type RequestedPolicy = TokenPolicy & { readonly useHttps?: boolean | undefined }

/** The parameters of one DRM's policy, which each key of a token may have of its own. */
export interface PolicySchema {
  readonly parameters: Readonly<Record<string, z.ZodType>>
  /**
   * The policy, or `undefined`: with what is wrong added to `faults`, or because the token has no licence. `suffix` is `.N`
   * for a numbered key, `whole` what the request says once for the whole token.
   */
  read(texts: Texts, faults: Fault[], suffix: string, whole: Texts): RequestedPolicy | undefined
}

export type PolicySchemaOf = (now: Now) => PolicySchema

/** A policy as it was read, and in the words of a token request, in which another service is asked. */
export interface ContentPolicy {
  readonly parameters: Readonly<Record<string, ParameterText>>
  /** Seconds from each grant to the end of the rental; takes precedence over `policy`. */
  readonly rentalSeconds?: number | undefined
  readonly policy: TokenPolicy
  /** The scheme of the licence URL, where the catalogue says one. */
  readonly useHttps?: boolean | undefined
}
