import { createHash } from 'node:crypto'
import * as z from 'zod'
import type { ErrorCode, Fault } from '../src/errors/error-catalogue.js'
import { NO_KID } from '../src/ground/drms.js'
import { ParameterGroup, type Relation, type Texts } from './group.js'
import { hex, metaOf, parameter, rule } from './rules.js'

/** A KID as clients write it: 32 hex digits, or `^` and a string whose SHA-1 gives the 16 bytes. Read as lower-case hex. */
export const kid = z
  .string(rule(-4018))
  .min(1, rule(-4018))
  .regex(/^(?!\^)|^\^[\s\S]{1,64}$/u, rule(-4021))
  .regex(/^(?:\^|[\s\S]{32}$)/u, rule(-4020))
  .regex(/^(?:\^|[0-9A-Fa-f]*$)/, rule(-4022))
  .transform(text =>
    text.startsWith('^') ? createHash('sha1').update(text.slice(1)).digest('hex').slice(0, 32) : text.toLowerCase(),
  )

/** The content key of one KID: given, wrapped, or in the key storage (spec: playready-token.md, licence parameters). */
const keyParameters = {
  kid: parameter(kid, {
    description: 'The key id: 32 hex digits, or `^` and a string of 1 to 64 characters.',
    example: 'b366360da82e9c6e0b0984002a362cf2',
    'x-error-code': -4022,
  }),
  contentKey: parameter(hex(32, rule(-2027), rule(-2005, 'contentKey must be hexadecimal')).optional(), {
    description: 'The content encryption key: 32 hex digits. Required unless `kek` is given.',
    example: 'b366360da82e9c6e0b0984002a362cf2',
    'x-error-code': -2005,
  }),
  kek: parameter(
    hex(32, rule(-4024), rule(-4024))
      .transform(text => Buffer.from(text, 'hex'))
      .optional(),
    {
      description:
        'The key that unwraps `ek` (RFC 3394), or the wrapped key in the key storage. Not with `contentKey`.',
      example: '000102030405060708090a0b0c0d0e0f',
      'x-error-code': -4024,
    },
  ),
  ek: parameter(
    hex(48, rule(-4024), rule(-4024))
      .transform(text => Buffer.from(text, 'hex'))
      .optional(),
    {
      description: 'The content key, wrapped with `kek`: 48 hex digits.',
      example: '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5',
      'x-error-code': -4024,
    },
  ),
}

const algorithm = {
  algId: parameter(z.enum(['aesctr', 'aescbc'], rule(-2005, 'algId must be aesctr or aescbc')).default('aesctr'), {
    description: 'How the content is encrypted: `aesctr` (cenc) or `aescbc` (cbcs).',
    example: 'aesctr',
    'x-error-code': -2005,
  }),
}

/** What the parameters of a key demand of each other; `both` refuses a kek beside a contentKey. */
export function keyRelations(both: ErrorCode): readonly Relation[] {
  return [
    {
      parameter: 'contentKey',
      code: both,
      details: both === -5007 ? undefined : 'only one of kek or contentKey can be specified',
      isBroken: ({ contentKey, kek }) => contentKey !== undefined && kek !== undefined,
    },
    {
      parameter: 'contentKey',
      code: -2005,
      details: 'neither contentKey nor kek was given',
      isBroken: ({ contentKey, kek, ek }) => contentKey === undefined && kek === undefined && ek === undefined,
    },
    {
      parameter: 'ek',
      code: -4024,
      details: 'ek needs its kek',
      isBroken: ({ ek, kek }) => ek !== undefined && kek === undefined,
    },
  ]
}

/** A key with everything that may be said of one. */
export const keyRequest = new ParameterGroup({ ...keyParameters, ...algorithm }, keyRelations(-5007))

/** Without `algId` it is what its DRM usually has. */
export type KeyRequest = z.output<z.ZodObject<typeof keyParameters>> & {
  readonly algId?: 'aesctr' | 'aescbc' | undefined
}

/** How a DRM's token request names its keys. */
export interface KeySchema {
  readonly parameters: Readonly<Record<string, z.ZodType>>
  /** The parameters that say which key it is: each numbered key has one of them. */
  readonly identifiers: readonly string[]
  /**
   * The key, or `undefined`: with what is wrong added to `faults`, or because the token has no key. `suffix` is `.N` for a
   * numbered key, `whole` what the request says once for the whole token.
   */
  read(texts: Texts, faults: Fault[], suffix: string, whole: Texts): KeyRequest | undefined
  /** Whether a wrapped key (`kek` with `ek`) must not have a KID. */
  readonly wrapsWithoutKid?: true
  /** The KID that the parameters name, if that is valid. */
  kidOf(texts: Texts): string | undefined
}

/** The keys of a DRM that are named by their KIDs. */
export function keySchema(group: KeyGroup): KeySchema {
  return {
    parameters: group.parameters,
    identifiers: ['kid'],
    read: (texts, faults, suffix) => group.read(texts, faults, suffix),
    kidOf: texts => kid.safeParse(texts.kid).data,
  }
}

interface KeyGroup {
  readonly parameters: KeySchema['parameters']
  read(texts: Texts, faults: Fault[], suffix: string): KeyRequest | undefined
}

export const playreadyKeys = keySchema(keyRequest)

/** Each key has its KID, as for most DRMs. */
export const keysWithKid = keySchema(new ParameterGroup(keyParameters, keyRelations(-5007)))

/** A key may come without a KID: it is then for whatever is asked. */
export const optionalKid = {
  parameters: {
    ...keyParameters,
    kid: parameter(kid.default(NO_KID), { ...metaOf(keyParameters.kid), description: 'The key id; may be left out.' }),
  },
  relations: (both: ErrorCode): readonly Relation[] => [
    ...keyRelations(both),
    {
      parameter: 'kek',
      code: -4024,
      details: 'kek needs its ek, or a kid that the key storage holds',
      isBroken: texts => texts.kek !== undefined && texts.ek === undefined && texts.kid === undefined,
    },
  ],
}
