import { z } from 'zod'
import { AUTHENTICATOR } from './credentials.js'

const authenticator = z.string().regex(AUTHENTICATOR, 'must be "<id>,<32 hex digits>"')

/** One customer, as the accounts file seeds it. All but id and authenticators have defaults. */
export const accountSeed = z
  .strictObject({
    id: z.number().int().min(1).max(0xffffffff),
    name: z.string().max(200).default(''),
    authenticators: z.strictObject({ test: authenticator.optional(), production: authenticator.optional() }),
    balance: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(1_000_000),
    enabled: z.boolean().default(true),
    drm: z.strictObject({ playready: z.boolean().default(true) }).prefault({}),
  })
  .superRefine(({ id, authenticators }, context) => {
    for (const [environment, value] of Object.entries(authenticators))
      if (value !== undefined && !value.startsWith(`${id},`))
        context.addIssue({
          code: 'custom',
          path: ['authenticators', environment],
          message: `must begin with the account's id: "${id},"`,
        })
  })

export const accountsFile = z.strictObject({
  accounts: z
    .array(accountSeed)
    .refine(
      accounts => new Set(accounts.map(({ id }) => id)).size === accounts.length,
      'two accounts have the same id',
    ),
})

export type AccountSeed = z.output<typeof accountSeed>
/** The same before the defaults are filled in: what a file says, or a test suite. */
export type AccountInput = z.input<typeof accountSeed>
