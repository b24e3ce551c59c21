import { keysWithKid } from '../../schemas/keys.js'
import { WIDEVINE_ASSUMED, type WidevinePolicy, widevineSchema } from '../../schemas/widevine.js'
import { HOST_LABELS } from '../ground/real-hosts.js'
import type { ByteReader, ByteWriter } from '../tokens/bytes.js'
import { readExtensions, writeExtensions } from './extensions.js'
import type { TokenFamily } from './family.js'
import { oneUrl } from './licence-urls.js'
import { opaqueLicences } from './stand-in-licence.js'

/** Players ask for the service certificate with a message of a few bytes. */
const LONGEST_CERTIFICATE_REQUEST = 5

const CERTIFICATE = {
  contentType: 'application/json',
  text: JSON.stringify({
    emulated: true,
    playable: false,
    note: "An emulator's stand-in for a service certificate: no client can use it.",
  }),
}

const licences = opaqueLicences(
  { drm: 'widevine', name: 'widevine', path: '/hms/wv/rights/', aliases: ['/widevine/RightsManager.asmx'] },
  ({ length }) => {
    if (length === 0) return { asked: { fault: { code: -7008, details: 'the challenge is empty' } } }
    return length > LONGEST_CERTIFICATE_REQUEST ? {} : { withoutToken: CERTIFICATE }
  },
)

export const widevine: TokenFamily = {
  drm: 'widevine',
  name: 'widevine',
  title: 'Widevine',
  number: 1,
  kid: 'required',
  tokenPath: '/hms/wv/token',
  tokenVersion: 7,
  disabled: { code: -7011 },
  tooLong: { code: -7009, parameter: 'wvExtension' },
  algorithm: 'aesctr',
  strayNumber: -6005,
  keySchema: keysWithKid,
  policySchema: widevineSchema,
  assumed: WIDEVINE_ASSUMED,
  deviceBinding: { refusal: -7002 },
  answer: oneUrl,
  keySystem: 'com.widevine.alpha',
  openPolicy: { generalFlags: '00000000', securityLevel: 1, hdcpOutputControl: 0, wvExtension: [] },
  writePolicy: (out, policy) => writePolicy(out, policy as LicencePolicy), // read by this family's schema
  readPolicy,
  licenceHost: { label: HOST_LABELS.widevine, scheme: 'as reached' },
  licences,
}

type LicencePolicy = Omit<WidevinePolicy, 'useHttps'>

/** Which of the optional fields are there, as bits. */
const PERSISTENT = 1
const CONTENT_ID = 2
const LICENSE_DURATION = 4
const PLAYBACK_DURATION = 8
const TRACK_TYPE = 16

function writePolicy(out: ByteWriter, policy: LicencePolicy): void {
  const { contentId, licenseDuration, playbackDuration, trackType, wvExtension } = policy
  out.uint(
    (policy.generalFlags === '00000001' ? PERSISTENT : 0) |
      (contentId === undefined ? 0 : CONTENT_ID) |
      (licenseDuration === undefined ? 0 : LICENSE_DURATION) |
      (playbackDuration === undefined ? 0 : PLAYBACK_DURATION) |
      (trackType === undefined ? 0 : TRACK_TYPE),
    1,
  )
  out.uint(policy.securityLevel, 1)
  out.uint(policy.hdcpOutputControl, 1)
  if (contentId !== undefined) out.longText(contentId)
  if (licenseDuration !== undefined) out.uint(licenseDuration, 4)
  if (playbackDuration !== undefined) out.uint(playbackDuration, 4)
  if (trackType !== undefined) out.uint(trackType, 1)
  writeExtensions(out, wvExtension)
}

function readPolicy(from: ByteReader): LicencePolicy {
  const present = from.uint(1)
  const policy: Partial<LicencePolicy> = {
    generalFlags: present & PERSISTENT ? '00000001' : '00000000',
    securityLevel: from.uint(1),
    hdcpOutputControl: from.uint(1),
  }
  if (present & CONTENT_ID) policy.contentId = from.longText()
  if (present & LICENSE_DURATION) policy.licenseDuration = from.uint(4)
  if (present & PLAYBACK_DURATION) policy.playbackDuration = from.uint(4)
  if (present & TRACK_TYPE) policy.trackType = from.uint(1)
  policy.wvExtension = readExtensions(from)
  return policy as LicencePolicy // all of its fields are read
}
