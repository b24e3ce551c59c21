import type * as z from 'zod'
import type { TokenDrm } from '../src/ground/drms.js'
import { fairplayCataloguePolicy } from './fairplay.js'
import { type JsonParameter, jsonParameters, type WrittenParameter } from './json-parameters.js'
import { ms3Schema } from './marlin.js'
import { playreadySchema } from './playready.js'
import type { ContentPolicy, PolicySchema } from './policy.js'
import type { ParameterText } from './sorting.js'
import { WIDEVINE_ASSUMED, widevineSchema } from './widevine.js'

/** Seen from the beginning of time every moment lies ahead: the grant finds out what has passed, not the file. */
const EPOCH = () => 0

/** The parameters of each DRM's policy. The values that a lenient service assumes are sent like all others. */
const POLICIES: Readonly<Record<TokenDrm, { readonly group: PolicySchema; readonly assumed?: readonly string[] }>> = {
  playready: { group: playreadySchema(EPOCH) },
  widevine: { group: widevineSchema(), assumed: Object.keys(WIDEVINE_ASSUMED) },
  fairplay: { group: fairplayCataloguePolicy },
  marlin: { group: ms3Schema() },
}

const level = { number: [0, 999] } as const
const seconds = { number: [0, 2 ** 32 - 1] } as const

/** By the name of the parameter, whichever DRM has it. */
const WRITTEN: Readonly<Record<string, WrittenParameter>> = {
  'rental.periodEndTime': {
    description:
      'Not playable afterwards: RFC 3339 with `Z`, or `+seconds` from each grant. Required for Rental, and only there.',
  },
  'rental.playDuration': { number: [1, 2 ** 31 - 1] },
  analogVideoOPL: level,
  compressedDigitalAudioOPL: level,
  compressedDigitalVideoOPL: level,
  uncompressedDigitalAudioOPL: level,
  uncompressedDigitalVideoOPL: level,
  securityLevel: {
    number: [1, 5],
    description:
      'The least robustness of the client: 1 SW_SECURE_CRYPTO, 2 SW_SECURE_DECODE, 3 HW_SECURE_CRYPTO, 4 HW_SECURE_DECODE, 5 HW_SECURE_ALL.',
  },
  hdcpOutputControl: {
    number: [0, 5],
    description:
      'The least HDCP of an output: 0 HDCP_NONE, 1 HDCP_V1, 2 HDCP_V2, 3 HDCP_V2_1, 4 HDCP_V2_2, 5 HDCP_NO_DIGITAL_OUTPUT.',
  },
  trackType: { number: [0, 4] },
  licenseDuration: seconds,
  playbackDuration: seconds,
  rentalDuration: seconds,
  useHttps: {
    description: 'The scheme of the licence URL; without it that of PUBLIC_URL, or the usual one of the DRM.',
  },
}

type PolicyEntry = z.ZodType<ContentPolicy, PolicyInput>
/** A policy as JSON. */
export type PolicyInput = Readonly<Record<string, JsonParameter | undefined>>

/** A policy in the catalogue, by the names of the parameters of the DRM's token request. */
export const policyEntries: Readonly<Record<TokenDrm, PolicyEntry>> = {
  playready: policyEntry('playready', 'PlayReady'),
  widevine: policyEntry('widevine', 'Widevine'),
  fairplay: policyEntry('fairplay', 'FairPlay'),
  marlin: policyEntry('marlin', 'Marlin MS3'),
}

function policyEntry(drm: TokenDrm, title: string): PolicyEntry {
  const { group, assumed = [] } = POLICIES[drm]
  return jsonParameters({
    group,
    description: `What a ${title} licence allows, by the names of the parameters of a token request.`,
    written: WRITTEN,
    read: ({ useHttps, ...policy }, texts): ContentPolicy => {
      const end = policy['rental.periodEndTime']
      const isFromGrant = end !== undefined && /^[+ ]/.test(String(texts['rental.periodEndTime']))
      const parameters: Record<string, ParameterText> = { ...texts }
      for (const name of assumed) parameters[name] ??= String(policy[name])
      return { parameters, policy, rentalSeconds: isFromGrant ? end / 1000 : undefined, useHttps }
    },
  })
}
