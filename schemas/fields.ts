import * as z from 'zod'
import type { ErrorCode } from '../src/errors/error-catalogue.js'
import type { Now } from '../src/ground/clock.js'
import { isMissing, type Relation } from './group.js'
import { futureMoment, hex, parameter, rule, wholeNumber } from './rules.js'

/** The parameters that several DRMs share, with their rules. */

export const PERSISTENT = '00000001'
export const NOT_PERSISTENT = '00000000'
/** Of 3072 bytes. */
const LONGEST_PAYLOAD = 4096

/** The scheme of the licence URL is for the answer alone: no licence has it. */
export const useHttps = parameter(
  z
    .enum(['true', '1', 'false', '0'], rule(-2034, 'useHttps must be true, 1, false or 0'))
    .transform(text => text === 'true' || text === '1')
    .optional(),
  {
    description:
      'The scheme of `licenseAcquisitionUrl`: https or http. Without it that of `PUBLIC_URL`; else http for PlayReady, and as the request came for others.',
    example: 'true',
    'x-error-code': -2034,
  },
)

/** The flags of a licence. Some DRMs' clients write no flags in four digits. */
export function generalFlags(description: string, ...otherForms: readonly '0000'[]) {
  return parameter(
    z
      .enum([NOT_PERSISTENT, PERSISTENT, ...otherForms], rule(-5003))
      .default(NOT_PERSISTENT)
      .transform(text => (text === PERSISTENT ? PERSISTENT : NOT_PERSISTENT)),
    { description, example: PERSISTENT, 'x-error-code': -5003 },
  )
}

/** A licence to own or to rent (spec: playready-token.md, licence parameters). */
export function rightsParameters(now: Now) {
  return {
    rightsType: parameter(
      z.enum(['BuyToOwn', 'Rental'], { error: ({ input }) => (input ? rule(-2021) : rule(-2020)).error }),
      { description: 'What the viewer gets.', example: 'BuyToOwn', 'x-error-code': -2021 },
    ),
    generalFlags: generalFlags('`00000001` is a persistent licence. A Rental must be persistent.'),
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
  }
}

export const rightsRelations: readonly Relation[] = [
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
]

/** An extension of a licence, in two parameters. */
export const extensionParameters = {
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
}

export const extensionRelations: readonly Relation[] = [
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

/** Four bytes of output control, as hex digits in lower case. */
export function outputControl(name: string, description: string) {
  return parameter(
    hex(8, rule(-2040), rule(-2008, `${name} must be hexadecimal`))
      .transform(text => text.toLowerCase())
      .optional(),
    { description, example: PERSISTENT, 'x-error-code': -2008 },
  )
}

/** Text that has no rule but its length. */
export function text(name: string, mostCharacters: number, code: ErrorCode) {
  return z.string().max(mostCharacters, rule(code, `${name} has at most ${mostCharacters} characters`))
}

const MOST_EXTENSIONS = 16
const EXTENSION = /^[A-Za-z]{4},(?=.)(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/

/** An extension of a licence in one text: its type, a comma, and its payload in base64. It may be repeated. */
export function extensions(name: string, code: ErrorCode) {
  const one = z.string().max(LONGEST_PAYLOAD, { ...rule(code, `at most ${LONGEST_PAYLOAD} characters`), abort: true })
  return parameter(
    z
      .array(one.regex(EXTENSION, rule(code, `${name} must be 4 letters, a comma and base64`)))
      .max(MOST_EXTENSIONS, rule(code, `at most ${MOST_EXTENSIONS} of them`))
      .default([]),
    {
      description: 'A licence extension: a type of 4 letters, a comma, and its payload in base64. May be repeated.',
      example: 'wudo,AAAAAA==',
      'x-error-code': code,
      'x-repeatable': true,
    },
  )
}
