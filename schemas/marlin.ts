import * as z from 'zod'
import type { Fault } from '../src/errors/error-catalogue.js'
import type { Now } from '../src/ground/clock.js'
import { NO_KID } from '../src/ground/drms.js'
import {
  extensionParameters,
  extensionRelations,
  outputControl,
  rightsParameters,
  rightsRelations,
  text,
  useHttps,
} from './fields.js'
import { isMissing, ParameterGroup, type Relation, type Texts } from './group.js'
import { type KeySchema, kid, optionalKid } from './keys.js'
import type { PolicySchema } from './policy.js'
import { hex, metaOf, parameter, rule } from './rules.js'

/** Marlin's two token endpoints: MS3 for streaming, Broadband for devices that register (spec: marlin.md). */

/** How a content is named that is named after its key. */
const KID_URN = /^urn:marlin:kid:([0-9A-Fa-f]{32})$/

const keyParameters = {
  ...optionalKid.parameters,
  kid: parameter(kid.optional(), {
    ...metaOf(optionalKid.parameters.kid),
    description: 'The key id, instead of `contentId`.',
  }),
  contentId: parameter(
    z.string().min(1, rule(-4018)).max(256, rule(-4022, 'contentId has at most 256 characters')).optional(),
    {
      description: 'The content, usually `urn:marlin:kid:<32 hex digits>`: then these are the key id.',
      example: 'urn:marlin:kid:b366360da82e9c6e0b0984002a362cf2',
      'x-error-code': -4022,
    },
  ),
}
const keyGroup = new ParameterGroup(keyParameters, [
  ...optionalKid.relations(-5007).filter(({ parameter }) => parameter !== 'kek'),
  {
    parameter: 'kid',
    code: -4018,
    details: 'either contentId or kid must be given',
    isBroken: texts => texts.kid === undefined && texts.contentId === undefined,
  },
  {
    parameter: 'kek',
    code: -4024,
    details: 'kek needs its ek, or a kid that the key storage holds',
    isBroken: texts => texts.kek !== undefined && texts.ek === undefined && kidOf(texts) === undefined,
  },
])

/** The KID, if the parameters name one: a content may have another name. */
function kidOf({ kid: given, contentId }: Texts): string | undefined {
  if (given !== undefined) return kid.safeParse(given).data
  return typeof contentId === 'string' ? KID_URN.exec(contentId)?.[1]?.toLowerCase() : undefined
}

export const ms3Keys: KeySchema = {
  parameters: keyParameters,
  identifiers: ['kid', 'contentId'],
  read(texts, faults, suffix) {
    const key = keyGroup.read(texts, faults, suffix)
    return key && { ...key, kid: kidOf(texts) ?? NO_KID }
  },
  kidOf,
}

const ms3Parameters = {
  outputControlOverride: parameter(text('outputControlOverride', 255, -2034).optional(), {
    description: 'An output control of its own: `urn:…,Name,value`.',
    example: 'urn:marlin:organization:intertrust:wudo,ImageConstraintLevel,0',
    'x-error-code': -2034,
  }),
  outputControlFlags: outputControl('outputControlFlags', 'Output control flags: 8 hex digits.'),
  outputControlValue: outputControl('outputControlValue', 'Output control value: 8 hex digits.'),
  ...extensionParameters,
  extensionCriticalFlag: parameter(
    z.enum(['true', 'false'], rule(-2034, 'extensionCriticalFlag must be true or false')).optional(),
    {
      description: 'Whether a client that does not know the extension must refuse the licence.',
      example: 'false',
      'x-error-code': -2034,
    },
  ),
  ms3Extension: parameter(
    z
      .string()
      .regex(/^[A-Za-z]{4},/, rule(-2036))
      .regex(
        /^[^,]*,(?:true|false),[\s\S]/,
        rule(-2035, 'ms3Extension must be type,true,payload or type,false,payload'),
      )
      .max(4096, { ...rule(-2037, 'at most 4096 characters'), abort: true })
      .refine(given => z.base64().safeParse(given.split(',').slice(2).join(',')).success, rule(-2037))
      .optional(),
    {
      description: 'An extension in its older form: type, whether it is critical, and payload in base64.',
      example: 'wudo,false,AAAAAA==',
      'x-error-code': -2036,
    },
  ),
  useHttps,
}
const ms3Group = new ParameterGroup(ms3Parameters, [
  ...extensionRelations,
  {
    parameter: 'ms3Extension',
    code: -2036,
    details: 'extensionType and ms3Extension are both given',
    isBroken: texts => texts.extensionType !== undefined && texts.ms3Extension !== undefined,
  },
])

export const ms3Schema = () => ms3Group

/** What an MS3 request says of its answer alone. */
export const ms3Answer = new ParameterGroup({
  contentURL: parameter(text('contentURL', 2048, -2034).optional(), {
    description: 'The manifest, which becomes the fragment of the licence URL.',
    example: 'https://media.example.com/movie.mpd',
    'x-error-code': -2034,
  }),
  ms3SchemeType: parameter(text('ms3SchemeType', 32, -2034).optional(), {
    description: '`ms3hs`: the licence URL has that scheme.',
    example: 'ms3hs',
    'x-error-code': -2034,
  }),
  ms3Scheme: parameter(z.enum(['true', 'false'], rule(-2034, 'ms3Scheme must be true or false')).optional(), {
    description: '`true`: the licence URL has the scheme `ms3`. The older form of `ms3SchemeType`.',
    example: 'false',
    'x-error-code': -2034,
  }),
})

export type Ms3Policy = z.output<z.ZodObject<typeof ms3Parameters>>

/** What a Broadband token is for, as clients number it. */
export const ACTIONS = { registration: '0', licence: '1', deregistration: '2' } as const

/** What a Broadband request says of the whole token. */
export const broadbandAction = new ParameterGroup(
  {
    actionTokenType: parameter(
      z.enum(Object.values(ACTIONS), rule(-2034, 'actionTokenType must be 0, 1 or 2')).default(ACTIONS.licence),
      { description: '0 registers a user, 1 is a licence, 2 deregisters.', example: '1', 'x-error-code': -2034 },
    ),
    userId: parameter(text('userId', 255, -2034).optional(), {
      description: 'The user. Required for a registration.',
      example: 'user-4711',
      'x-error-code': -2034,
    }),
    userKey: parameter(
      hex(32, rule(-2034, 'userKey has 32 hex digits'), rule(-2034, 'userKey must be hexadecimal')).optional(),
      {
        description: 'The key of the user: 32 hex digits. Required for a registration.',
        example: '00112233445566778899aabbccddeeff',
        'x-error-code': -2034,
      },
    ),
  },
  ['userId', 'userKey'].map(
    (name): Relation => ({
      parameter: name,
      code: -2035,
      details: `a registration needs ${name}`,
      isBroken: texts => texts.actionTokenType === ACTIONS.registration && isMissing(texts[name]),
    }),
  ),
)

/** A licence has keys and rights; the other actions have none. What is no action is read as a licence. */
function isLicence({ actionTokenType: action }: Texts): boolean {
  return action !== ACTIONS.registration && action !== ACTIONS.deregistration
}

export const broadbandKeys: KeySchema = {
  ...ms3Keys,
  read: (texts, faults, suffix, whole) => (isLicence(whole) ? ms3Keys.read(texts, faults, suffix, whole) : undefined),
}

function broadbandParameters(now: Now) {
  const override = (name: string, example: string) =>
    parameter(text(name, 255, -2034).optional(), {
      description: 'A part of an output control of its own.',
      example,
      'x-error-code': -2034,
    })
  return {
    ...rightsParameters(now),
    outputControlOverrideId: override('outputControlOverrideId', 'urn:marlin:organization:intertrust:wudo'),
    outputControlOverrideParameter: override('outputControlOverrideParameter', 'ImageConstraintLevel'),
    outputControlOverrideValue: override('outputControlOverrideValue', '0'),
    useHttps,
  }
}

export function broadbandSchema(now: Now): PolicySchema {
  const group = new ParameterGroup(broadbandParameters(now), rightsRelations)
  return {
    parameters: group.parameters,
    read: (texts: Texts, faults: Fault[], suffix: string, whole: Texts) =>
      isLicence(whole) ? group.read(texts, faults, suffix) : undefined,
  }
}

export type BroadbandPolicy = z.output<z.ZodObject<ReturnType<typeof broadbandParameters>>>
