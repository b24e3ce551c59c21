import { type FairplayPolicy, fairplayKeys, fairplaySchema } from '../../schemas/fairplay.js'
import { HOST_LABELS } from '../ground/real-hosts.js'
import { readExtensions, writeExtensions } from './extensions.js'
import type { TokenFamily } from './family.js'
import { oneUrl } from './licence-urls.js'
import { opaqueLicences } from './stand-in-licence.js'

const licences = opaqueLicences(
  { drm: 'fairplay', name: 'fairplay', path: '/hms/fp/rights/', otherDrm: -6002 },
  ({ length }) => (length === 0 ? { asked: { fault: { code: -6004, details: 'the SPC is empty' } } } : {}),
)

const PERSISTENT = 1

export const fairplay: TokenFamily = {
  drm: 'fairplay',
  name: 'fairplay',
  title: 'FairPlay',
  number: 2,
  kid: 'optional',
  tokenPath: '/hms/fp/token',
  tokenVersion: 6,
  disabled: { code: -6009 },
  unauthorised: { code: -6006 },
  tooLong: { code: -6001, parameter: 'fpExtension' },
  algorithm: 'aescbc',
  strayNumber: -6005,
  errorTexts: { [-4018]: 'Missing Kid' },
  aliases: { device_id: 'deviceId' },
  keySchema: fairplayKeys,
  policySchema: fairplaySchema,
  deviceBinding: { refusal: -6008, option: 'fairplayDeviceBinding' },
  answer: oneUrl,
  keySystem: 'com.apple.fps',
  openPolicy: { iv: '0'.repeat(32), generalFlags: '00000000', rentalDuration: 0, fpExtension: [] },
  writePolicy: (out, policy) => {
    const { iv, generalFlags, rentalDuration, fpExtension } = policy as LicencePolicy // read by this family's schema
    out.uint(generalFlags === '00000001' ? PERSISTENT : 0, 1)
    out.hex(iv)
    out.uint(rentalDuration, 4)
    writeExtensions(out, fpExtension)
  },
  readPolicy: (from): LicencePolicy => ({
    generalFlags: from.uint(1) & PERSISTENT ? '00000001' : '00000000',
    iv: from.hex(16),
    rentalDuration: from.uint(4),
    fpExtension: readExtensions(from),
  }),
  licenceHost: { label: HOST_LABELS.fairplay, scheme: 'as reached' },
  licences,
}

type LicencePolicy = Omit<FairplayPolicy, 'useHttps'>
