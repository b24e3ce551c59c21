import { playreadySchema } from '../../schemas/playready.js'
import type { LicenceFamily, TokenFamily } from './family.js'
import { readPlayreadyChallenge } from './playready-challenge.js'
import { readPlayreadyPolicy, writePlayreadyPolicy } from './playready-policy.js'
import { SOAP_TYPE, standInResponse } from './soap.js'
import { standIn } from './stand-in.js'

/** PlayReady's players speak SOAP, and understand refusals as its faults. */
const licences: LicenceFamily = {
  drm: 'playready',
  path: '/playready/RightsManager.asmx',
  refusals: 'soap',
  read: body => ({
    ...readPlayreadyChallenge(body),
    licence: redemption => ({ contentType: SOAP_TYPE, text: standInResponse(standIn(redemption)) }),
  }),
}

const OPEN_POLICY = {
  rightsType: 'BuyToOwn',
  generalFlags: '00000000',
  analogVideoOPL: 0,
  compressedDigitalAudioOPL: 0,
  compressedDigitalVideoOPL: 0,
  uncompressedDigitalAudioOPL: 0,
  uncompressedDigitalVideoOPL: 0,
} as const

export const playready: TokenFamily = {
  drm: 'playready',
  number: 0,
  tokenPath: '/hms/pr/token',
  disabled: -5002,
  policySchema: playreadySchema,
  openPolicy: OPEN_POLICY,
  writePolicy: writePlayreadyPolicy,
  readPolicy: readPlayreadyPolicy,
  licenceHost: { label: 'pr', scheme: 'http:' },
  licences,
}
