import * as z from 'zod'
import { CHARGES, TOKEN_STYLES } from '../src/ground/account-choices.js'
import { byDrm, type DrmOption, TOKEN_DRMS } from '../src/ground/drms.js'
import { AUTHENTICATOR } from './credentials.js'
import { jsonMoment } from './rules.js'

export const authenticator = z.string().regex(AUTHENTICATOR, 'must be "<id>,<32 hex digits>"')

/** Of an authenticator that was given no name: ids are made of its hash. */
export const UNNAMED = 'unnamed-'

/** It is part of a URL. */
export const authenticatorName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/,
    'must have 1 to 64 letters, digits, spaces or ._-, and begin with a letter or digit',
  )
  .refine(name => !name.startsWith(UNNAMED), `must not begin with ${UNNAMED}`)
  .meta({ description: 'Its name, which no other of the account has in this environment.', examples: ['storefront'] })

export const validUntil = jsonMoment('When it stops being valid: RFC 3339 with `Z`. Without it, never.')

const namedAuthenticator = z.strictObject({
  authenticator,
  name: authenticatorName.optional(),
  validUntil: validUntil.optional(),
})

const oneAuthenticator = authenticator.transform(
  (authenticator): z.output<typeof namedAuthenticator> => ({ authenticator }),
)

/** One, or several that are valid at once. */
const seededAuthenticators = z
  .union(
    [
      oneAuthenticator.transform(one => [one]),
      z.array(z.union([oneAuthenticator, namedAuthenticator], 'must be an authenticator, or an object with one')),
    ],
    'must be an authenticator, or a list of them',
  )
  .refine(all => areDistinct(all.map(({ authenticator }) => authenticator)), 'has an authenticator twice')
  .refine(all => areDistinct(all.flatMap(({ name }) => name ?? [])), 'has a name twice')

function areDistinct(texts: readonly string[]): boolean {
  return new Set(texts).size === texts.length
}

export const GREATEST_ID = 0xffffffff
export const GREATEST_BALANCE = Number.MAX_SAFE_INTEGER

/** Text that every database keeps as it is: control characters and halves of characters some do not. */
export const accountName = z
  .string()
  .max(200)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must have no control characters')

/** How often one token may be redeemed. */
export const maxRedemptions = z
  .int()
  .min(1)
  .max(1_000_000)
  .nullable()
  .meta({ description: 'How often one token may be redeemed; null: without a limit, until it expires.' })

/** How many requests a minute, in each environment. */
export const requestsPerMinute = z
  .int()
  .min(1)
  .max(10_000_000)
  .nullable()
  .meta({ description: 'Requests a minute, in each environment; null: what RATE_LIMIT_PER_ACCOUNT says.' })

/** How many tokens a day, in each environment. */
export const tokensPerDay = z
  .int()
  .min(1)
  .max(1_000_000_000)
  .nullable()
  .meta({ description: 'Tokens a day (UTC), in each environment; null: as many as the balance covers.' })

/** When a token is paid for. */
export const charge = z.enum(CHARGES).meta({
  description:
    'When a token is paid for: when it is issued, or when it is first redeemed, where issuing only needs a balance above 0.',
})

/** The outer form of tokens. */
export const tokenStyle = z
  .enum(TOKEN_STYLES)
  .nullable()
  .meta({ description: 'The outer form of its tokens; null: what TOKEN_STYLE says.' })

/** Whether a token request may omit parameters for which defaults are assumed. */
export const strictParameters = z.boolean().nullable().meta({
  description: 'Whether a token request without a required parameter is refused; null: what STRICT_PARAMETERS says.',
})

const AUTHORISED = 'null: the account was never authorised for FairPlay, which is another error than `false`.'

/** An account's options by DRM, as far as they are given. */
export const drmOptions = z.strictObject({
  ...byDrm(() => z.boolean().optional()),
  fairplay: z.boolean().nullable().optional().meta({ description: AUTHORISED }),
})

/** All of them. An account that lists its DRMs has FairPlay only where it is listed; the others are on (spec: errors.json). */
const allDrmOptions = drmOptions.transform((given): Record<DrmOption, boolean | null> => {
  const isList = TOKEN_DRMS.some(drm => given[drm] !== undefined)
  const all = byDrm<boolean | null>(option => given[option] ?? true)
  return { ...all, fairplay: given.fairplay === undefined ? (isList ? null : true) : given.fairplay }
})

/** One customer, as the accounts file seeds it. All but id and authenticators have defaults. */
export const accountSeed = z
  .strictObject({
    id: z.number().int().min(1).max(GREATEST_ID),
    name: accountName.default(''),
    authenticators: z.strictObject({
      test: seededAuthenticators.optional(),
      production: seededAuthenticators.optional(),
    }),
    balance: z.number().int().min(0).max(GREATEST_BALANCE).default(1_000_000),
    enabled: z.boolean().default(true),
    drm: allDrmOptions.prefault({}),
    maxRedemptions: maxRedemptions.default(null),
    limits: z
      .strictObject({ requestsPerMinute: requestsPerMinute.default(null), tokensPerDay: tokensPerDay.default(null) })
      .prefault({}),
    charge: charge.default('issue'),
    tokenStyle: tokenStyle.default(null),
    strictParameters: strictParameters.default(null),
    /** The real service's API keys of this customer, for a gateway. They are its own: no id of ours is in them. */
    upstream: z.strictObject({ test: authenticator.optional(), production: authenticator.optional() }).optional(),
  })
  .superRefine(({ id, authenticators }, context) => {
    for (const [environment, all = []] of Object.entries(authenticators))
      if (!all.every(({ authenticator }) => isAuthenticatorOf(id, authenticator)))
        context.addIssue({ code: 'custom', path: ['authenticators', environment], message: NOT_ITS_OWN })
  })

export const accountsFile = z.strictObject({
  accounts: z
    .array(accountSeed)
    .refine(
      accounts => new Set(accounts.map(({ id }) => id)).size === accounts.length,
      'two accounts have the same id',
    ),
})

export const NOT_ITS_OWN = "must begin with the account's id and a comma"

/** A customer's number has one spelling here: without zeros before it. */
export function isAuthenticatorOf(id: number, authenticator: string): boolean {
  return authenticator.startsWith(`${id},`)
}

export type SeededAuthenticator = z.output<typeof namedAuthenticator>
export type AccountSeed = z.output<typeof accountSeed>
/** The same before the defaults are filled in: what a file says, or a test suite. */
export type AccountInput = z.input<typeof accountSeed>
