import type { PlayreadyPolicy } from '../../schemas/playready.js'
import type { ByteReader, ByteWriter } from '../tokens/bytes.js'

/** The scheme of the licence URL is for the answer alone. */
type LicencePolicy = Omit<PlayreadyPolicy, 'useHttps'>

const RIGHTS = ['BuyToOwn', 'Rental'] as const
const UNKNOWN_OUTPUT = ['Allow', 'Disallow', 'SDOnly'] as const

/** Which of the optional fields are there, as bits. */
const PERIOD_END = 1
const PLAY_DURATION = 2
const UNKNOWN_OUTPUT_BEHAVIOR = 4
const CONTROL_FLAGS = 8
const EXTENSION = 16
const SECURITY_LEVEL = 32
const PERSISTENT = 64

export function writePlayreadyPolicy(out: ByteWriter, policy: LicencePolicy): void {
  out.uint(RIGHTS.indexOf(policy.rightsType), 1)
  out.uint(presence(policy), 1)
  out.uint(policy.analogVideoOPL, 2)
  out.uint(policy.compressedDigitalAudioOPL, 2)
  out.uint(policy.compressedDigitalVideoOPL, 2)
  out.uint(policy.uncompressedDigitalAudioOPL, 2)
  out.uint(policy.uncompressedDigitalVideoOPL, 2)
  const { extensionType, extensionPayload, minCertSecurityLevel, outputControlFlags, unknownOutputBehavior } = policy
  if (policy['rental.periodEndTime'] !== undefined) out.uint(policy['rental.periodEndTime'], 6)
  if (policy['rental.playDuration'] !== undefined) out.uint(policy['rental.playDuration'], 4)
  if (unknownOutputBehavior !== undefined) out.uint(UNKNOWN_OUTPUT.indexOf(unknownOutputBehavior), 1)
  if (outputControlFlags !== undefined) out.hex(outputControlFlags)
  if (minCertSecurityLevel !== undefined) out.uint(minCertSecurityLevel, 2)
  if (extensionType !== undefined && extensionPayload !== undefined) {
    out.text(extensionType)
    out.uint(extensionPayload.length, 4)
    out.bytes(extensionPayload)
  }
}

export function readPlayreadyPolicy(from: ByteReader): LicencePolicy {
  const rightsType = from.oneOf(RIGHTS)
  const present = from.uint(1)
  const policy: LicencePolicy = {
    rightsType,
    generalFlags: present & PERSISTENT ? '00000001' : '00000000',
    analogVideoOPL: from.uint(2),
    compressedDigitalAudioOPL: from.uint(2),
    compressedDigitalVideoOPL: from.uint(2),
    uncompressedDigitalAudioOPL: from.uint(2),
    uncompressedDigitalVideoOPL: from.uint(2),
  }
  if (present & PERIOD_END) policy['rental.periodEndTime'] = from.uint(6)
  if (present & PLAY_DURATION) policy['rental.playDuration'] = from.uint(4)
  if (present & UNKNOWN_OUTPUT_BEHAVIOR) policy.unknownOutputBehavior = from.oneOf(UNKNOWN_OUTPUT)
  if (present & CONTROL_FLAGS) policy.outputControlFlags = from.hex(4)
  if (present & SECURITY_LEVEL) policy.minCertSecurityLevel = from.uint(2)
  if (present & EXTENSION) {
    policy.extensionType = from.text()
    policy.extensionPayload = from.bytes(from.uint(4)) as Buffer<ArrayBuffer> // copied by the reader
  }
  return policy
}

function presence(policy: LicencePolicy): number {
  return (
    (policy['rental.periodEndTime'] === undefined ? 0 : PERIOD_END) |
    (policy['rental.playDuration'] === undefined ? 0 : PLAY_DURATION) |
    (policy.unknownOutputBehavior === undefined ? 0 : UNKNOWN_OUTPUT_BEHAVIOR) |
    (policy.outputControlFlags === undefined ? 0 : CONTROL_FLAGS) |
    (policy.extensionType === undefined ? 0 : EXTENSION) |
    (policy.minCertSecurityLevel === undefined ? 0 : SECURITY_LEVEL) |
    (policy.generalFlags === '00000001' ? PERSISTENT : 0)
  )
}
