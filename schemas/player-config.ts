import { z } from 'zod'
import { CLEAR_KEY, TOKEN_DRMS } from '../src/ground/drms.js'
import { ParameterGroup } from './group.js'
import { parameter, rule } from './rules.js'

/** What is asked of the answer itself: ours, not the real service's. */
export const answerParameters = {
  playerConfig: parameter(z.enum(['true', 'false'], rule(-2034, 'playerConfig must be true or false')).optional(), {
    description: '`true` adds configuration for players to a JSON answer. An extension of this service.',
    example: 'true',
    'x-error-code': -2034,
  }),
}

export const answerRequest = new ParameterGroup(answerParameters)

const headers = z.record(z.string(), z.string())

const keySystemConfig = z.object({
  shaka: z
    .object({
      drm: z.object({
        servers: z.record(z.string(), z.string()),
        advanced: z.record(z.string(), z.object({ headers })),
      }),
    })
    .meta({ description: 'For `player.configure(…)` of shaka-player.' }),
  dashjs: z
    .record(z.string(), z.object({ serverURL: z.string(), httpRequestHeaders: headers, withCredentials: z.boolean() }))
    .meta({ description: 'For `player.setProtectionData(…)` of dash.js.' }),
  eme: z
    .object({
      keySystem: z.string(),
      configurations: z.array(
        z.object({
          initDataTypes: z.array(z.string()),
          videoCapabilities: z.array(z.object({ contentType: z.string() })),
          audioCapabilities: z.array(z.object({ contentType: z.string() })),
        }),
      ),
      licenseRequest: z.object({ url: z.string(), method: z.literal('POST'), headers }),
    })
    .meta({
      description:
        'For `navigator.requestMediaKeySystemAccess(keySystem, configurations)`, and what to send a key message with.',
    }),
})

export const playerConfig = z.partialRecord(z.enum([...TOKEN_DRMS, CLEAR_KEY]), keySystemConfig).meta({
  description:
    "Configuration for players, ready to paste, of the token's DRM and, where the service knows it, Clear Key: with `playerConfig=true`.",
})

export type KeySystemConfig = z.output<typeof keySystemConfig>
/** By the name of a DRM. */
export type PlayerConfig = Readonly<Record<string, KeySystemConfig>>
