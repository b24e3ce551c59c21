import * as z from 'zod'
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

const licenseRequest = z.object({ url: z.string(), method: z.literal('POST'), headers })

const keySystemConfig = z.object({
  shaka: z
    .object({
      drm: z.object({
        servers: z.record(z.string(), z.string()),
        advanced: z.record(z.string(), z.object({ headers })),
      }),
    })
    .meta({
      description:
        'For `player.configure(…)` of shaka-player, any version. `headers`, which only 4.9 and newer send, are for a Clear Key URL in the manifest. FairPlay also needs `drm.advanced["com.apple.fps"].serverCertificateUri`.',
    }),
  dashjs: z
    .record(z.string(), z.object({ serverURL: z.string(), httpRequestHeaders: headers, withCredentials: z.boolean() }))
    .meta({
      description:
        'For `player.setProtectionData(…)` of dash.js 3 to 5. FairPlay, with 5.2, also needs `serverCertificate`.',
    }),
  hlsjs: z
    .object({ emeEnabled: z.literal(true), drmSystems: z.record(z.string(), z.object({ licenseUrl: z.string() })) })
    .meta({
      description:
        'For `new Hls(…)` of hls.js 1.4 and newer. FairPlay also needs `serverCertificateUrl` beside the URL.',
    }),
  videojs: z
    .object({
      keySystems: z.record(
        z.string(),
        z.object({ url: z.string().optional(), licenseUri: z.string().optional().meta({ description: 'FairPlay.' }) }),
      ),
    })
    .meta({
      description:
        'For the source in `player.src(…)` of video.js 8 with videojs-contrib-eme 5. FairPlay also needs `certificateUri` beside `licenseUri`.',
    }),
  rxplayer: z.object({ keySystem: z.object({ type: z.string() }), licenseRequest }).meta({
    description:
      'For `keySystems` in `player.loadVideo(…)` of rx-player 4, with a `getLicense` of yours that sends the licence request.',
  }),
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
      licenseRequest,
    })
    .meta({
      description:
        'For `navigator.requestMediaKeySystemAccess(keySystem, configurations)`, and what to send a key message with.',
    }),
})

export const playerConfig = z.partialRecord(z.enum([...TOKEN_DRMS, CLEAR_KEY]), keySystemConfig).meta({
  description:
    "Configuration for players, of the token's DRM and, where the service has it, Clear Key: with `playerConfig=true`. Every URL has the token. Marlin has no entry, because no browser has it.",
})

export type KeySystemConfig = z.output<typeof keySystemConfig>
/** By the name of a DRM. */
export type PlayerConfig = Readonly<Record<string, KeySystemConfig>>
