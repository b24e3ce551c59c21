import * as z from 'zod'
import { StatusError } from '../src/errors/public-error.js'
import { byDrm } from '../src/ground/drms.js'
import { ENVIRONMENTS, LONGEST_OVERLAP } from '../src/ground/environment.js'
import {
  accountName,
  accountSeed,
  authenticator,
  authenticatorName,
  charge,
  drmOptions,
  GREATEST_ID,
  isAuthenticatorOf,
  maxRedemptions,
  NOT_ITS_OWN,
  requestsPerMinute,
  strictParameters,
  tokenStyle,
  tokensPerDay,
  validUntil,
} from './accounts-file.js'
import { jsonFaults } from './json-faults.js'
import { numeral } from './rules.js'

const { id, balance, enabled, drm, limits } = accountSeed.shape
const environment = z.enum(ENVIRONMENTS)

export const accountPath = z.strictObject({ id: numeral(1, GREATEST_ID).meta({ description: 'The account.' }) })

export const pageQuery = z.strictObject({
  after: numeral(0, GREATEST_ID)
    .default(0)
    .meta({ description: 'Only accounts with a greater id: `next` of the page before.' }),
  limit: numeral(1, 1000).default(100).meta({ description: 'The most accounts on a page.' }),
})

export const newAccount = z
  .strictObject({
    id: id.optional().meta({ description: 'Without it, the next one that is free.' }),
    name: accountName.default(''),
    authenticators: z
      .strictObject({ test: authenticator.optional(), production: authenticator.optional() })
      .prefault({})
      .meta({ description: 'Those that are not given are made.' }),
    balance: balance.meta({ description: 'Of each environment.' }),
    enabled,
    drm,
    maxRedemptions: maxRedemptions.default(null),
    limits,
    charge: charge.default('issue'),
    tokenStyle: tokenStyle.default(null),
    strictParameters: strictParameters.default(null),
  })
  .superRefine(({ id, authenticators }, context) => {
    const given = Object.entries(authenticators).filter(([, value]) => value !== undefined)
    for (const [environment, value = ''] of given)
      if (id !== undefined && !isAuthenticatorOf(id, value))
        context.addIssue({ code: 'custom', path: ['authenticators', environment], message: NOT_ITS_OWN })
    if (id === undefined && given.length > 0)
      context.addIssue({
        code: 'custom',
        path: ['id'],
        message: 'must be given with authenticators, which begin with it',
      })
  })

export const accountChange = z
  .strictObject({
    name: accountName.optional(),
    enabled: z.boolean().optional(),
    drm: drmOptions.refine(hasAny, 'must name a DRM').optional(),
    maxRedemptions: maxRedemptions.optional(),
    limits: z
      .strictObject({ requestsPerMinute: requestsPerMinute.optional(), tokensPerDay: tokensPerDay.optional() })
      .refine(hasAny, 'must have at least one of requestsPerMinute and tokensPerDay')
      .optional(),
    charge: charge.optional(),
    tokenStyle: tokenStyle.optional(),
    strictParameters: strictParameters.optional(),
  })
  .refine(
    hasAny,
    'must have at least one of name, enabled, drm, maxRedemptions, limits, charge, tokenStyle and strictParameters',
  )

function hasAny(change: object): boolean {
  return Object.values(change).some(value => value !== undefined)
}

export const balanceChange = z
  .strictObject({
    environment,
    add: z.int().optional().meta({ description: 'How many tokens more; below 0, less.' }),
    set: balance.unwrap().optional().meta({ description: 'The new balance, whatever it was.' }),
  })
  .refine(({ add, set }) => (add === undefined) !== (set === undefined), {
    path: ['add'],
    message: 'must be given, or set must be, but not both',
  })

export const rotation = z.strictObject({
  environment,
  authenticator: authenticator.optional().meta({ description: 'Without it, one is made.' }),
  validForSeconds: z.int().min(0).max(LONGEST_OVERLAP).optional().meta({
    description: 'How long those before without a name stay valid, at most; without it, AUTHENTICATOR_OVERLAP.',
  }),
})

export const authenticatorsPath = accountPath.extend({
  environment: environment.meta({ description: 'Where it is valid.' }),
})

export const authenticatorPath = authenticatorsPath.extend({
  name: z.string().meta({ description: 'Its name, as the account shows it.' }),
})

export const authenticatorAddition = z.strictObject({
  name: authenticatorName,
  authenticator: authenticator.optional().meta({ description: 'Without it, one is made.' }),
  validUntil: validUntil.nullable().optional(),
})

const moment = z.string().meta({ format: 'date-time' })

const service = z.object({
  balance: balance.unwrap(),
  authenticators: z
    .array(
      z.object({
        name: z.string().meta({ description: 'One that was given none has `unnamed-` and an id.' }),
        createdAt: moment,
        validUntil: moment.nullable().meta({ description: 'null: until it is removed, or replaced by a rotation.' }),
      }),
    )
    .meta({ description: 'The newest first. Only hashes of them are kept.' }),
})

export const shownAccount = z.object({
  id,
  name: z.string(),
  enabled: z.boolean(),
  drm: z.object({ ...byDrm(() => z.boolean()), fairplay: z.boolean().nullable() }),
  maxRedemptions,
  limits: z.object({ requestsPerMinute, tokensPerDay }),
  charge,
  tokenStyle,
  strictParameters,
  services: z.object({ test: service, production: service }),
})

export const accountPage = z.object({
  accounts: z.array(shownAccount),
  next: id.nullable().meta({ description: '`after` for the next page; null: there is none.' }),
})

export const createdAccount = shownAccount.extend({
  authenticators: z
    .object({ test: z.string(), production: z.string() })
    .meta({ description: 'In this answer and never again.' }),
})

export const shownBalance = z.object({ id, environment, balance: balance.unwrap() })

export const rotatedAuthenticator = z.object({
  id,
  environment,
  authenticator: z.string().meta({ description: 'In this answer and never again.' }),
  othersValidUntil: moment.meta({ description: 'When the last of those before ends.' }),
})

export const addedAuthenticator = z.object({
  id,
  environment,
  name: z.string(),
  authenticator: z.string().meta({ description: 'In this answer and never again.' }),
  validUntil: moment.nullable(),
})

export type PageQuery = z.output<typeof pageQuery>
export type NewAccount = z.output<typeof newAccount>
export type AccountChange = z.output<typeof accountChange>
export type BalanceChange = z.output<typeof balanceChange>
export type Rotation = z.output<typeof rotation>
export type AuthenticatorPath = z.output<typeof authenticatorPath>
export type AuthenticatorAddition = z.output<typeof authenticatorAddition>
export type AddedAuthenticator = z.output<typeof addedAuthenticator>
export type ShownAccount = z.output<typeof shownAccount>
export type AccountPage = z.output<typeof accountPage>
export type CreatedAccount = z.output<typeof createdAccount>
export type ShownBalance = z.output<typeof shownBalance>
export type RotatedAuthenticator = z.output<typeof rotatedAuthenticator>

/** What an administrator asks, typed; or a refusal that says every fault of it. */
export function read<T>(schema: z.ZodType<T>, content: unknown): T {
  const parsed = schema.safeParse(content)
  if (parsed.success) return parsed.data
  const faults = jsonFaults(parsed.error, schema)
  const described = faults.map(({ place, message }) => (place === '' ? message : `${place}: ${message}`))
  throw new StatusError(400, described.join('; '), faults.find(({ field }) => field !== '')?.field)
}
