import * as z from 'zod'
import { extensions, generalFlags, useHttps } from './fields.js'
import { ParameterGroup } from './group.js'
import { type KeySchema, keySchema, optionalKid } from './keys.js'
import { type ParameterMeta, parameter, rule, wholeNumber } from './rules.js'

const iv = z
  .string(rule(-6003))
  .regex(/^[0-9A-Fa-f]{32}$/, rule(-6003))
  .transform(text => text.toLowerCase())
const ivMeta: ParameterMeta = {
  description: 'The initialisation vector of the content: 32 hex digits.',
  example: '00112233445566778899aabbccddeeff',
  'x-error-code': -6003,
}

/** What a FairPlay licence allows, whatever its content (spec: fairplay.md). */
const termsParameters = {
  generalFlags: generalFlags('`00000001` is a persistent licence.', '0000'),
  rentalDuration: parameter(
    wholeNumber(0, 2 ** 32 - 1, rule(-6007, 'it must be a whole number of seconds')).default(0),
    { description: 'Seconds of the rental; 0 or none: no limit.', example: '86400', 'x-error-code': -6007 },
  ),
  fpExtension: extensions('fpExtension', -6001),
  useHttps,
}

/** The policy of a FairPlay licence (spec: fairplay.md). */
const fairplayParameters = { iv: parameter(iv, ivMeta), ...termsParameters }

const group = new ParameterGroup(fairplayParameters)

/** In the catalogue the initialisation vector is part of the key, so that contents can share a policy. */
export const fairplayCataloguePolicy = new ParameterGroup(termsParameters)
export const catalogueIv = parameter(iv.optional(), {
  ...ivMeta,
  description: 'The initialisation vector of the content: 32 hex digits. Required for FairPlay.',
})

export const fairplaySchema = () => group

export type FairplayPolicy = z.output<z.ZodObject<typeof fairplayParameters>>

/** A key may come without a KID. A kek goes with a KID that the key storage holds, or with an ek, but not with both. */
export const fairplayKeys: KeySchema = {
  ...keySchema(
    new ParameterGroup(optionalKid.parameters, [
      ...optionalKid.relations(-6005),
      {
        parameter: 'kek',
        code: -4024,
        details: 'kek goes with a kid of the key storage or with an ek, not with both',
        isBroken: ({ kek, ek, kid }) => kek !== undefined && ek !== undefined && kid !== undefined,
      },
    ]),
  ),
  wrapsWithoutKid: true,
}
