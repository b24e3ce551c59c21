import * as z from 'zod'
import type { Now } from '../src/ground/clock.js'
import {
  extensionParameters,
  extensionRelations,
  outputControl,
  rightsParameters,
  rightsRelations,
  useHttps,
} from './fields.js'
import { ParameterGroup } from './group.js'
import { parameter, rule } from './rules.js'

/** The policy of a PlayReady licence (spec: playready-token.md, licence parameters). */
function playreadyParameters(now: Now) {
  return {
    ...rightsParameters(now),
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
    outputControlFlags: outputControl('outputControlFlags', 'Output control flags: 8 hex digits.'),
    ...extensionParameters,
    minCertSecurityLevel: parameter(
      z
        .enum(['150', '2000', '3000'], rule(-2034, 'minCertSecurityLevel must be 150, 2000 or 3000'))
        .transform(Number)
        .optional(),
      { description: 'The least PlayReady security level of the client.', example: '2000', 'x-error-code': -2034 },
    ),
    useHttps,
  }
}

const relations = [...rightsRelations, ...extensionRelations]

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
