import { playreadyKeys } from '../../schemas/keys.js'
import { playreadySchema } from '../../schemas/playready.js'
import { HOST_LABELS } from '../ground/real-hosts.js'
import type { AnswerForm, LicenceFamily, TokenFamily } from './family.js'
import { readPlayreadyChallenge } from './playready-challenge.js'
import { readPlayreadyPolicy, writePlayreadyPolicy } from './playready-policy.js'
import { SOAP_TYPE, standInResponse } from './soap.js'
import { standIn } from './stand-in-licence.js'

/** PlayReady's players speak SOAP, and understand refusals as its faults. */
const licences: LicenceFamily = {
  drm: 'playready',
  name: 'playready',
  path: '/playready/RightsManager.asmx',
  refusals: 'soap',
  read: body => ({
    ...readPlayreadyChallenge(body),
    licence: redemption => ({ contentType: SOAP_TYPE, text: standInResponse(standIn(redemption)) }),
  }),
}

/** The real service gives JSON the type of a list of URLs. */
const answer: AnswerForm = {
  contentType: 'text/uri-list',
  text: ({ licenseAcquisitionUrl, token }) => JSON.stringify({ licenseAcquisitionUrl, token }),
  read: () => undefined, // all services answer it as JSON
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
  name: 'playready',
  title: 'PlayReady',
  number: 0,
  kid: 'required',
  tokenPath: '/hms/pr/token',
  tokenVersion: 8,
  disabled: { code: -5002 },
  tooLong: { code: -2037, parameter: 'extensionPayload' },
  algorithm: 'aesctr',
  strayNumber: -2035,
  keySchema: playreadyKeys,
  policySchema: playreadySchema,
  deviceBinding: 'always',
  answer,
  keySystem: 'com.microsoft.playready',
  openPolicy: OPEN_POLICY,
  writePolicy: writePlayreadyPolicy,
  readPolicy: readPlayreadyPolicy,
  licenceHost: { label: HOST_LABELS.playready, scheme: 'http:' },
  licences,
}
