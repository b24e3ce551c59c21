import { isIP } from 'node:net'
import * as z from 'zod'
import { TOKEN_STYLES } from '../src/ground/account-choices.js'
import { TOKEN_DRMS } from '../src/ground/drms.js'
import { ENVIRONMENTS } from '../src/ground/environment.js'
import { jsonMoment } from './rules.js'

/** Longer than any answer with a token. */
const LONGEST = 32_768

export const inspectionOrder = z.strictObject({
  token: z
    .string()
    .min(1)
    .max(LONGEST)
    .meta({ description: 'The token, or the answer of a token endpoint with it.', examples: ['AQAAAxQ…'] }),
  at: jsonMoment('When it would be redeemed: RFC 3339 with `Z`. Without it, now.').optional(),
  address: z
    .string()
    .refine(text => isIP(text) !== 0, 'must be an IP address')
    .optional()
    .meta({ description: 'Where it would be redeemed from. Without it, where this request comes from.' }),
  deviceId: z
    .string()
    .regex(/^[0-9A-Fa-f]{32}$/, 'must have 32 hex digits')
    .transform(text => text.toLowerCase())
    .optional()
    .meta({ description: 'The device that would redeem it: 32 hex digits. Without it, one that gives no id.' }),
  keys: z.boolean().default(false).meta({ description: 'Whether content keys are shown; without it they are masked.' }),
})

const moment = z.string().meta({ format: 'date-time' })
const presented = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])

export const shownToken = z.object({
  id: z.string(),
  customerId: z.int(),
  style: z.enum(TOKEN_STYLES),
  drm: z.enum(TOKEN_DRMS),
  environment: z.enum(ENVIRONMENTS),
  issuedAt: moment,
  expiresAt: moment,
  deviceId: z.string().optional(),
  ipAddress: z.string().optional(),
  cookie: z.string().optional(),
  charge: z.string().optional().meta({ description: 'When it is paid for.' }),
  keys: z.array(
    z.object({
      kid: z.string().optional().meta({ description: 'Without it, the key is for any KID.' }),
      contentKey: z.string(),
      algId: z.string(),
      policy: z.record(z.string(), presented).meta({ description: 'By the names of the parameters.' }),
      inWords: z.array(z.string()).meta({ description: 'The policy in words.' }),
    }),
  ),
})

export const inspection = z.object({
  token: shownToken,
  at: moment,
  address: z.string(),
  deviceId: z.string().optional(),
  licences: z
    .array(
      z.object({
        drm: z.string(),
        paths: z.array(z.string()),
        granted: z.boolean(),
        code: z.int().optional(),
        message: z.string().optional(),
        entitlement: z.literal('decides').optional().meta({
          description: 'Granted only if the entitlement service (ENTITLEMENT_URL) allows it, which was not asked.',
        }),
      }),
    )
    .meta({ description: 'What redeeming it would give, at each licence endpoint.' }),
})

export type InspectionOrder = z.output<typeof inspectionOrder>
export type TokenInspection = z.output<typeof inspection>
