import { isIP } from 'node:net'
import * as z from 'zod'
import type { Now } from '../src/ground/clock.js'
import { ParameterGroup } from './group.js'
import { futureMoment, hex, parameter, rule } from './rules.js'

/** How long a token can be redeemed at most, and when nothing else is said. */
export const LONGEST_LIFE = 30 * 86_400_000

/** What narrows a token down, and what finds it again (spec: playready-token.md, restriction and correlation). */
export function restrictionParameters(now: Now) {
  return {
    expirationTime: parameter(futureMoment('expirationTime', now, LONGEST_LIFE).optional(), {
      description:
        'When the token stops being redeemable: RFC 3339 with `Z`, or `+seconds`. At most 30 days ahead, the default.',
      example: '+3600',
      'x-error-code': -2002,
    }),
    deviceId: parameter(
      hex(32, rule(-5004), rule(-5005))
        .transform(text => text.toLowerCase())
        .optional(),
      {
        description: 'Only this device may redeem the token: 32 hex digits. Also accepted as `deviceid`.',
        example: '00112233445566778899aabbccddeeff',
        'x-error-code': -5005,
      },
    ),
    ipAddress: parameter(
      z
        .string()
        // A zone (fe80::1%eth0) means something on one machine only.
        .refine(text => isIP(text) !== 0 && !text.includes('%'), rule(-2003))
        .optional(),
      {
        description: 'Only from this IPv4 or IPv6 address may the token be redeemed.',
        example: '203.0.113.7',
        'x-error-code': -2003,
      },
    ),
    cookie: parameter(
      z
        .string()
        .regex(/^[^\p{Cc}]{0,32}$/u, rule(-2033))
        .optional(),
      {
        description: 'Up to 32 characters, carried in the token and written to the transaction log.',
        example: 'viewer-4711',
        'x-error-code': -2033,
      },
    ),
  }
}

export function restrictions(parameters: ReturnType<typeof restrictionParameters>) {
  return new ParameterGroup(parameters)
}

export type Restrictions = z.output<z.ZodObject<ReturnType<typeof restrictionParameters>>>
