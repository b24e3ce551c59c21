import { z } from 'zod'
import type { Now } from '../src/ground/clock.js'
import { isMissing, ParameterGroup, type Relation } from './group.js'
import { futureMoment, hex, parameter, rule, wholeNumber } from './rules.js'

const PERSISTENT = '00000001'
/** Of 3072 bytes. */
const LONGEST_PAYLOAD = 4096

/** The policy of a PlayReady licence (spec: playready-token.md, licence parameters). */
function playreadyParameters(now: Now) {
  return {
    rightsType: parameter(
      z.enum(['BuyToOwn', 'Rental'], { error: ({ input }) => (input ? rule(-2021) : rule(-2020)).error }),
      { description: 'What the viewer gets.', example: 'BuyToOwn', 'x-error-code': -2021 },
    ),
    generalFlags: parameter(z.enum(['00000000', PERSISTENT], rule(-5003)).default('00000000'), {
      description: '`00000001` is a persistent licence. A Rental must be persistent.',
      example: PERSISTENT,
      'x-error-code': -5003,
    }),
    'rental.periodEndTime': parameter(futureMoment('rental.periodEndTime', now).optional(), {
      description: 'Not playable afterwards: RFC 3339 with `Z`, or `+seconds`. Required for Rental, and only there.',
      example: '+172800',
      'x-error-code': -2002,
    }),
    'rental.playDuration': parameter(wholeNumber(1, 2 ** 31 - 1, rule(-2025)).optional(), {
      description: 'Seconds that it can be played once play has started. Rental only.',
      example: '86400',
      'x-error-code': -2025,
    }),
    analogVideoOPL: outputProtectionLevel('analog video'),
    compressedDigitalAudioOPL: outputProtectionLevel('compressed digital audio'),
    compressedDigitalVideoOPL: outputProtectionLevel('compressed digital video'),
    uncompressedDigitalAudioOPL: outputProtectionLevel('uncompressed digital audio'),
    uncompressedDigitalVideoOPL: outputProtectionLevel('uncompressed digital video'),
    unknownOutputBehavior: parameter(z.enum(['Allow', 'Disallow', 'SDOnly'], rule(-5001)).optional(), {
      description: 'What happens on an output that the client does not know.',
      example: 'Disallow',
      'x-error-code': -5001,
    }),
    outputControlFlags: parameter(
      hex(8, rule(-2040), rule(-2008, 'outputControlFlags must be hexadecimal'))
        .transform(text => text.toLowerCase())
        .optional(),
      { description: 'Output control flags: 8 hex digits.', example: '00000001', 'x-error-code': -2008 },
    ),
    extensionType: parameter(
      z
        .string()
        .regex(/^[A-Za-z]{4}$/, rule(-2036))
        .optional(),
      {
        description: 'The type of a licence extension: 4 ASCII letters. Together with `extensionPayload`.',
        example: 'wudo',
        'x-error-code': -2036,
      },
    ),
    extensionPayload: parameter(
      z
        .string(rule(-2037))
        // Nothing else is looked at in one that is too long.
        .max(LONGEST_PAYLOAD, { ...rule(-2037, `at most ${LONGEST_PAYLOAD} characters`), abort: true })
        .check(z.base64(rule(-2037)))
        .transform(text => Buffer.from(text, 'base64'))
        .optional(),
      {
        description: `The payload of the extension: base64, at most ${LONGEST_PAYLOAD} characters.`,
        example: 'AAAAAA==',
        'x-error-code': -2037,
      },
    ),
    minCertSecurityLevel: parameter(
      z
        .enum(['150', '2000', '3000'], rule(-2034, 'minCertSecurityLevel must be 150, 2000 or 3000'))
        .transform(Number)
        .optional(),
      { description: 'The least PlayReady security level of the client.', example: '2000', 'x-error-code': -2034 },
    ),
    useHttps: parameter(
      z
        .enum(['true', '1', 'false', '0'], rule(-2034, 'useHttps must be true, 1, false or 0'))
        .transform(text => text === 'true' || text === '1')
        .optional(),
      {
        description: 'The scheme of `licenseAcquisitionUrl`: https or http. Without it that of `PUBLIC_URL`, or http.',
        example: 'true',
        'x-error-code': -2034,
      },
    ),
  }
}

const relations: readonly Relation[] = [
  {
    parameter: 'generalFlags',
    code: -5003,
    details: 'a Rental licence must be persistent',
    isBroken: texts => texts.rightsType === 'Rental' && texts.generalFlags !== PERSISTENT,
  },
  {
    parameter: 'rental.periodEndTime',
    code: -2022,
    isBroken: texts => texts.rightsType === 'Rental' && isMissing(texts['rental.periodEndTime']),
  },
  {
    parameter: 'rental.playDuration',
    code: -2023,
    isBroken: texts => texts['rental.playDuration'] === '',
  },
  {
    parameter: 'rental.playDuration',
    code: -2025,
    details: 'it is for a Rental only',
    isBroken: texts => texts.rightsType === 'BuyToOwn' && texts['rental.playDuration'] !== undefined,
  },
  {
    parameter: 'rental.periodEndTime',
    code: -2002,
    details: 'rental.periodEndTime is for a Rental only',
    isBroken: texts => texts.rightsType === 'BuyToOwn' && texts['rental.periodEndTime'] !== undefined,
  },
  {
    parameter: 'extensionPayload',
    code: -2035,
    isBroken: texts => texts.extensionType !== undefined && isMissing(texts.extensionPayload),
  },
  {
    parameter: 'extensionType',
    code: -2035,
    isBroken: texts => texts.extensionType === undefined && texts.extensionPayload !== undefined,
  },
]

export function playreadySchema(now: Now) {
  return new ParameterGroup(playreadyParameters(now), relations)
}

export type PlayreadyPolicy = z.output<z.ZodObject<ReturnType<typeof playreadyParameters>>>

function outputProtectionLevel(output: string) {
  return parameter(
    z
      .string(rule(-5006))
      .min(1, rule(-5006))
      .regex(/^\d{1,3}$/, rule(-2034))
      .transform(Number),
    { description: `The output protection level of ${output}: 0 to 999.`, example: '0', 'x-error-code': -2034 },
  )
}
