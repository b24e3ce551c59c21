import { jsonParameters } from './json-parameters.js'
import { playreadySchema } from './playready.js'
import type { ContentPolicy } from './policy.js'

/** Seen from the beginning of time every moment lies ahead: what has passed is for the grant to find out, not for the file. */
const timeless = playreadySchema(() => 0)
const level = { number: [0, 999] } as const

/** A policy in the catalogue, by the names of the parameters of a token request. */
export const playreadyEntry = jsonParameters({
  group: timeless,
  description: 'What a licence allows, by the names of the parameters of a token request.',
  written: {
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
    useHttps: { description: 'The scheme of the licence URL; without it that of PUBLIC_URL, or http.' },
  },
  read: ({ useHttps, ...policy }, texts): ContentPolicy => {
    const end = policy['rental.periodEndTime']
    const isFromGrant = end !== undefined && /^[+ ]/.test(texts['rental.periodEndTime'] ?? '')
    return {
      parameters: texts,
      policy,
      rentalSeconds: isFromGrant ? end / 1000 : undefined,
      useHttps,
    }
  },
})
