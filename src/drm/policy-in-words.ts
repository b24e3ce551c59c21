import type { PolicyValue, TokenPolicy } from '../../schemas/policy.js'

const ROBUSTNESS = ['SW_SECURE_CRYPTO', 'SW_SECURE_DECODE', 'HW_SECURE_CRYPTO', 'HW_SECURE_DECODE', 'HW_SECURE_ALL']
const HDCP = ['HDCP_NONE', 'HDCP_V1', 'HDCP_V2', 'HDCP_V2_1', 'HDCP_V2_2', 'HDCP_NO_DIGITAL_OUTPUT']
const TRACKS = ['SD', 'HD', 'audio', 'UHD1', 'UHD2']
const UNKNOWN_OUTPUTS = {
  Allow: 'Plays on outputs that the client does not know.',
  Disallow: 'Does not play on outputs that the client does not know.',
  SDOnly: 'Plays on outputs that the client does not know in standard definition only.',
} as const

type InWords = (value: PolicyValue) => string | undefined

/** By the name of the parameter, whichever DRM has it. `undefined` where a value has no effect. */
const SENTENCES: Readonly<Record<string, InWords>> = {
  rightsType: value => (value === 'Rental' ? 'The content is rented.' : 'The content is bought.'),
  generalFlags: value =>
    value === '00000001' ? 'The licence is persistent.' : 'The licence ends with the playback session.',
  'rental.periodEndTime': value => `Playable until ${new Date(Number(value)).toISOString()}.`,
  'rental.playDuration': value => `Playable for ${duration(value)} once play has started.`,
  licenseDuration: value => (value === 0 ? undefined : `Playable for ${duration(value)} once play has started.`),
  playbackDuration: value => (value === 0 ? undefined : `${duration(value)} of playback.`),
  rentalDuration: value => (value === 0 ? undefined : `Rented for ${duration(value)}.`),
  analogVideoOPL: value => `Analog video needs output protection level ${value}.`,
  compressedDigitalAudioOPL: value => `Compressed digital audio needs output protection level ${value}.`,
  compressedDigitalVideoOPL: value => `Compressed digital video needs output protection level ${value}.`,
  uncompressedDigitalAudioOPL: value => `Uncompressed digital audio needs output protection level ${value}.`,
  uncompressedDigitalVideoOPL: value => `Uncompressed digital video needs output protection level ${value}.`,
  unknownOutputBehavior: value => UNKNOWN_OUTPUTS[value as keyof typeof UNKNOWN_OUTPUTS], // the schema's values
  minCertSecurityLevel: value => `The client needs PlayReady security level ${value} or higher.`,
  securityLevel: value => `The client needs robustness ${ROBUSTNESS[Number(value) - 1] ?? value} or higher.`,
  hdcpOutputControl: value => `Outputs need ${HDCP[Number(value)] ?? value}.`,
  trackType: value => `The key is for ${TRACKS[Number(value)] ?? value} tracks.`,
}

/** A policy in sentences, of the DRM with this title; what has no sentence of its own is said by its name. */
export function policyInWords(policy: TokenPolicy, title: string): string[] {
  const given = Object.entries(policy).flatMap(([name, value]) => (isEmpty(value) ? [] : [[name, value] as const]))
  const sentences = given.flatMap(([name, value]) => {
    const inWords = SENTENCES[name]
    return inWords === undefined ? `${name} is set.` : (inWords(value) ?? [])
  })
  const hasNoEnd = !['rental.periodEndTime', 'licenseDuration', 'rentalDuration'].some(name => Number(policy[name]) > 0)
  return hasNoEnd ? [...sentences, `The ${title} licence has no end.`] : sentences
}

function isEmpty(value: PolicyValue | undefined): value is undefined {
  return value === undefined || (Array.isArray(value) && value.length === 0)
}

const UNITS = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const

/** Seconds in the largest unit that gives a whole number. */
function duration(value: PolicyValue): string {
  const seconds = Number(value)
  const [size, unit] = UNITS.find(([size]) => seconds % size === 0) ?? [1, 'second']
  const count = seconds / size
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}
