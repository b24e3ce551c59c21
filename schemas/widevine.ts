import * as z from 'zod'
import { extensions, generalFlags, text, useHttps } from './fields.js'
import { ParameterGroup } from './group.js'
import { parameter, rule, wholeNumber } from './rules.js'

/** The policy of a Widevine licence (spec: widevine.md). */
const widevineParameters = {
  generalFlags: generalFlags('`00000001` is a persistent licence.', '0000'),
  securityLevel: parameter(oneOf(1, 5, rule(-7004, 'securityLevel must be 1 to 5')).default(1), {
    description:
      'The least robustness of the client: 1 SW_SECURE_CRYPTO, 2 SW_SECURE_DECODE, 3 HW_SECURE_CRYPTO, 4 HW_SECURE_DECODE, 5 HW_SECURE_ALL. Without it 1, unless the account is strict.',
    example: '1',
    'x-error-code': -7004,
  }),
  hdcpOutputControl: parameter(oneOf(0, 5, rule(-2034, 'hdcpOutputControl must be 0 to 5')).default(0), {
    description:
      'The least HDCP of an output: 0 HDCP_NONE, 1 HDCP_V1, 2 HDCP_V2, 3 HDCP_V2_1, 4 HDCP_V2_2, 5 HDCP_NO_DIGITAL_OUTPUT. Without it 0, unless the account is strict.',
    example: '0',
    'x-error-code': -2034,
  }),
  trackType: parameter(oneOf(0, 4, rule(-2034, 'trackType must be 0 to 4')).optional(), {
    description: 'What the key is for: 0 SD, 1 HD, 2 AUDIO, 3 UHD1, 4 UHD2.',
    example: '1',
    'x-error-code': -2034,
  }),
  licenseDuration: seconds('Seconds that it can be played once play has started; 0 or none: no limit.'),
  playbackDuration: seconds('Seconds of playback. Sent by clients, not documented by the service.'),
  wvExtension: extensions('wvExtension', -7009),
  contentId: parameter(text('contentId', 256, -2034).optional(), {
    description: 'The content as its pssh box names it: at most 256 characters.',
    example: 'movie-4711',
    'x-error-code': -2034,
  }),
  useHttps,
}

const group = new ParameterGroup(widevineParameters)

export const widevineSchema = () => group

/** What is assumed where it is missing, and the refusal in strict mode. */
export const WIDEVINE_ASSUMED = { securityLevel: -7003, hdcpOutputControl: -7006 } as const

export type WidevinePolicy = z.output<z.ZodObject<typeof widevineParameters>>

function oneOf(least: number, most: number, outOfRange: { error: string }) {
  return z
    .string()
    .regex(new RegExp(`^[${least}-${most}]$`), outOfRange)
    .transform(Number)
}

function seconds(description: string) {
  const invalid = rule(-7007, 'it must be a whole number of seconds')
  return parameter(wholeNumber(0, 2 ** 32 - 1, invalid).optional(), {
    description,
    example: '86400',
    'x-error-code': -7007,
  })
}
