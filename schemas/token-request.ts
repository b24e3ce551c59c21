import type * as z from 'zod'
import { type ErrorCode, type Fault, firstFault, noLaterThan } from '../src/errors/error-catalogue.js'
import { TokenError } from '../src/errors/public-error.js'
import type { Now } from '../src/ground/clock.js'
import { credentialParameters, credentials, type ErrorFormat, errorFormat } from './credentials.js'
import type { Texts } from './group.js'
import type { KeyRequest, KeySchema } from './keys.js'
import { answerParameters, answerRequest } from './player-config.js'
import type { PolicySchema, PolicySchemaOf, RequestedPolicy } from './policy.js'
import { type Restrictions, restrictionParameters, restrictions } from './restrictions.js'
import { ParameterSorter, type ParameterText, type RawParameters, type SortedParameters } from './sorting.js'

/** What a token says beside its keys: a policy per key, and the restrictions of the whole. */
export interface TokenTerms {
  readonly policies: readonly RequestedPolicy[]
  readonly restrictions: Restrictions
  /** Where the request says it. */
  readonly useHttps: boolean | undefined
}

/** What one DRM's token request has of its own. */
export interface FamilySchema {
  readonly keySchema: KeySchema
  readonly policySchema: PolicySchemaOf
  readonly deviceBinding: DeviceBinding
  /** Parameters of the whole token that no other DRM has. */
  readonly tokenParameters?: TokenParameters
  /** What a lenient service assumes where a key does not say it, and the refusal of a strict one. */
  readonly assumed?: Readonly<Record<string, ErrorCode>>
  /** Other names of its parameters. */
  readonly aliases?: Readonly<Record<string, string>>
  /** Refuses a parameter of a key that has a number, but no KID of that number. */
  readonly strayNumber: ErrorCode
  /** Its own documented texts of errors, where they differ. */
  readonly errorTexts?: Readonly<Partial<Record<ErrorCode, string>>>
}

interface TokenParameters {
  readonly parameters: Readonly<Record<string, z.ZodType>>
  read(texts: Texts, faults: Fault[]): unknown
}

/** What an account says of its tokens' terms. */
export interface AccountTerms {
  readonly id: number
  /** Its options, for what it may bind tokens to. */
  readonly drm: Readonly<Record<string, boolean | null>>
  /** Whether nothing is assumed; `null`: as the service is set. */
  readonly strictParameters: boolean | null
}

/**
 * Whether a DRM's tokens can be bound to a device: always, never, or unless the account's option of this name is off.
 * Where they cannot, a `deviceId` is refused.
 */
export type DeviceBinding = 'always' | { readonly refusal: ErrorCode; readonly option?: string }

/**
 * The schema of a token request for one DRM. It is read in three parts, because the catalogue's order has the account
 * before the keys, and the keys' unwrapping and look-up before the policy.
 */
export class TokenRequestSchema {
  readonly #parameters: ReturnType<typeof tokenRequestParameters>
  readonly #sorter: ParameterSorter
  readonly #policy: PolicySchema
  readonly #restrictions: ReturnType<typeof restrictions>
  readonly #family: FamilySchema
  readonly #assumed: readonly string[]
  readonly #isStrict: boolean
  /** Whose terms are read: moments are compared with this customer's time. */
  #customerId: number | undefined

  /** `isStrict`: nothing is assumed, unless the account says otherwise. */
  constructor(family: FamilySchema, now: Now, isStrict = false) {
    const customersNow = () => now(this.#customerId)
    const policy = family.policySchema(customersNow)
    const parameters = tokenRequestParameters(family, policy, customersNow)
    this.#family = family
    this.#assumed = Object.keys(family.assumed ?? {})
    this.#isStrict = isStrict
    this.#parameters = parameters
    this.#sorter = new ParameterSorter(
      {
        ...parameters.credentials,
        errorFormat,
        ...parameters.token,
        ...parameters.restrictions,
        ...parameters.answer,
      },
      { ...parameters.keys, ...parameters.policy },
      { identifiers: family.keySchema.identifiers, strayNumber: family.strayNumber, aliases: family.aliases },
    )
    this.#policy = policy
    this.#restrictions = restrictions(parameters.restrictions)
  }

  sort(query: RawParameters, body: RawParameters | undefined): SortedParameters {
    return this.#sorter.sort(query, body)
  }

  /** Unknown names, with suggestions for misspelled ones: the header `x-ignored-parameters`. */
  describeIgnored({ ignored }: SortedParameters): string {
    const described = [...ignored.keys()].slice(0, 16).map(name => {
      const suggestion = this.#sorter.suggestion(name)
      const printable = printableName(name)
      return suggestion === undefined ? printable : `${printable} (did you mean ${suggestion}?)`
    })
    if (ignored.size > described.length) described.push(`and ${ignored.size - described.length} more`)
    return described.join(', ')
  }

  readCredentials(sorted: SortedParameters): string {
    const faults = sorted.faults.filter(noLaterThan(-2018))
    const read = credentials.read(sorted.whole, faults)
    if (read === undefined || faults.length > 0) throw this.#error(sorted, faults)
    return read.customerAuthenticator
  }

  readKeys(sorted: SortedParameters): KeyRequest[] {
    const faults = sorted.faults.filter(noLaterThan(-4019))
    const keys: KeyRequest[] = []
    for (const { values, suffix } of sorted.keys) {
      const key = this.#family.keySchema.read(values, faults, suffix, sorted.whole)
      if (key !== undefined) keys.push(key)
    }
    if (sorted.keys.length > 1) faults.push(...repeatedKids(sorted, this.#family.keySchema))
    if (faults.length > 0) throw this.#error(sorted, faults)
    return keys
  }

  readTerms(sorted: SortedParameters, account: AccountTerms): TokenTerms {
    this.#customerId = account.id
    const faults = [...sorted.faults]
    const { deviceBinding, tokenParameters } = this.#family
    const unbound = bindingRefusal(deviceBinding, account.drm)
    if (unbound !== undefined && sorted.whole.deviceId !== undefined)
      faults.push({ code: unbound, parameter: 'deviceId' })
    const policies: RequestedPolicy[] = []
    for (const { values, suffix } of sorted.keys) {
      const policy = this.#policy.read(values, faults, suffix, sorted.whole)
      if (policy !== undefined) policies.push(policy)
    }
    tokenParameters?.read(sorted.whole, faults)
    if (account.strictParameters ?? this.#isStrict) faults.push(...this.#missing(sorted))
    const schemes = new Set(policies.flatMap(({ useHttps }) => useHttps ?? []))
    if (schemes.size > 1)
      faults.push({ code: -2034, parameter: 'useHttps', details: 'the keys of one token differ in useHttps' })
    const restrictions = this.#restrictions.read(sorted.whole, faults)
    if (sorted.whole.playerConfig !== undefined) answerRequest.read(sorted.whole, faults)
    if (restrictions === undefined || faults.length > 0) throw this.#error(sorted, faults)
    const [useHttps] = schemes
    return { policies, restrictions, useHttps }
  }

  /** What a lenient service assumes for this request, by its names: the header `x-assumed-parameters`. */
  describeAssumed({ keys }: SortedParameters): string {
    const names = this.#assumed.flatMap(name =>
      keys.filter(({ values }) => values[name] === undefined).map(({ suffix }) => `${name}${suffix}`),
    )
    return names.join(', ')
  }

  #missing({ keys }: SortedParameters): Fault[] {
    return Object.entries(this.#family.assumed ?? {}).flatMap(([name, code]) =>
      keys
        .filter(({ values }) => values[name] === undefined)
        .map(({ suffix }) => ({ code, parameter: `${name}${suffix}` })),
    )
  }

  /** Of a request whose terms are read. */
  wantsPlayerConfig({ whole }: SortedParameters): boolean {
    return whole.playerConfig === 'true'
  }

  /** Of a request that is refused, what the log may say of it: every parameter that by itself is in order. */
  readWhatHolds({ keys, whole }: SortedParameters): RefusedTerms {
    const { cookie, deviceId, ipAddress } = this.#parameters.restrictions
    const { rightsType } = this.#parameters.policy
    return {
      kids: keys.flatMap(({ values }) => this.#family.keySchema.kidOf(values) ?? []),
      cookie: valid(cookie, whole.cookie),
      deviceId: valid(deviceId, whole.deviceId),
      ipAddress: valid(ipAddress, whole.ipAddress),
      rightsType: textOf(rightsType && valid(rightsType, keys[0]?.values.rightsType)),
    }
  }

  /** The first fault as an error, with a hint where an ignored name looks like the parameter that is missing. */
  #error({ ignored }: SortedParameters, faults: readonly Fault[]): TokenError {
    const fault = firstFault(faults)
    if (fault === undefined) throw new Error('refused without a fault')
    const meant = [...ignored.keys()].slice(0, 16).find(name => this.#sorter.suggestion(name) === fault.parameter)
    const hint = meant && `${printableName(meant)} is not a parameter, did you mean ${fault.parameter}`
    const missing = fault.code === -5006 ? fault.parameter : fault.details
    const details = [missing, hint].filter(part => part !== undefined).join('; ')
    const text = this.#family.errorTexts?.[fault.code]
    return new TokenError({ ...fault, text, details: details === '' ? undefined : details })
  }
}

/** What is left of a refused request. */
export interface RefusedTerms {
  readonly kids: readonly string[]
  readonly cookie: string | undefined
  readonly deviceId: string | undefined
  readonly ipAddress: string | undefined
  readonly rightsType: string | undefined
}

/** The refusal of a token that shall be bound to a device, where it cannot be. */
export function bindingRefusal(binding: DeviceBinding, options: AccountTerms['drm']): ErrorCode | undefined {
  if (binding === 'always') return undefined
  return binding.option !== undefined && options[binding.option] !== false ? undefined : binding.refusal
}

/** Every parameter of a token request, in the order in which the docs show them. */
export function tokenRequestParameters(
  { keySchema, tokenParameters }: Pick<FamilySchema, 'keySchema' | 'tokenParameters'>,
  policy: PolicySchema,
  now: Now,
) {
  return {
    credentials: credentialParameters,
    token: tokenParameters?.parameters ?? {},
    keys: keySchema.parameters,
    policy: policy.parameters,
    restrictions: restrictionParameters(now),
    answer: answerParameters,
  }
}

/** What of a request says in which form its errors shall be. */
export interface ErrorFormatSource {
  readonly query: unknown
  readonly body: unknown
  readonly headers: { readonly accept?: string | undefined }
}

/** `errorFormat` from wherever it stands, else by the Accept header. `checkErrorFormat` refuses a wrong one, in HTML. */
export function errorFormatOf({ query, body, headers }: ErrorFormatSource): ErrorFormat {
  const given = errorFormatText(query, body)
  if (given !== undefined) return errorFormat.safeParse(given).data ?? 'html'
  const { accept } = headers
  return accepts(accept, 'application/json') && !accepts(accept, 'text/html') ? 'json' : 'html'
}

/** Whether an Accept header names this content type. */
export function accepts(accept: string | undefined, contentType: 'application/json' | 'text/html'): boolean {
  return accept !== undefined && NAMED[contentType].test(accept)
}

const NAMED = { 'application/json': namedIn('application/json'), 'text/html': namedIn('text/html') }

/** Without a quality of 0, which says that it is not wanted. */
function namedIn(contentType: string): RegExp {
  return new RegExp(`(?:^|[,\\s])${contentType}\\s*(?:$|,|;(?!\\s*q=0(?:\\.0+)?\\s*(?:,|$)))`, 'i')
}

export function checkErrorFormat(query: unknown, body: unknown): void {
  const given = errorFormatText(query, body)
  if (given === undefined || errorFormat.safeParse(given).success) return
  const details = typeof given === 'string' ? given.slice(0, 40) : 'more than one'
  throw new TokenError({ code: -3004, parameter: 'errorFormat', details })
}

function errorFormatText(query: unknown, body: unknown): unknown {
  const inQuery = errorFormatField(query)
  const inBody = errorFormatField(body)
  if (inQuery === undefined || inQuery === inBody) return inBody
  return inBody === undefined ? inQuery : [inQuery, inBody]
}

function errorFormatField(values: unknown): unknown {
  return typeof values === 'object' && values !== null && 'errorFormat' in values ? values.errorFormat : undefined
}

function repeatedKids({ keys }: SortedParameters, keySchema: KeySchema): Fault[] {
  const seen = new Set<string>()
  return keys.flatMap(({ suffix, values }) => {
    const kid = keySchema.kidOf(values)
    if (kid === undefined) return []
    const repeated = seen.has(kid)
    seen.add(kid)
    const parameter = `kid${suffix}`
    return repeated ? [{ code: -4022, parameter, details: `${parameter} repeats the kid of another key` } as const] : []
  })
}

function printableName(name: string): string {
  return encodeURIComponent(name.slice(0, 40).toWellFormed())
}

function valid<T>(schema: z.ZodType<T>, text: ParameterText | undefined): T | undefined {
  return schema.safeParse(text).data
}

/** A DRM's policy may have a parameter of this name that is no text, or none. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
