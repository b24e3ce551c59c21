import { MS3_TOKEN_NAME } from '../../schemas/licences.js'
import {
  ACTIONS,
  type BroadbandPolicy,
  broadbandAction,
  broadbandKeys,
  broadbandSchema,
  type Ms3Policy,
  ms3Answer,
  ms3Keys,
  ms3Schema,
} from '../../schemas/marlin.js'
import { HOST_LABELS } from '../ground/real-hosts.js'
import { xmlText } from '../pssh/xml-text.js'
import type { ByteReader, ByteWriter } from '../tokens/bytes.js'
import type { IssuedToken, TokenFamily } from './family.js'
import { tokenOfUrl, urlWithToken } from './licence-urls.js'
import { opaqueLicences } from './stand-in-licence.js'
import { findDescendant, parseXml, wholeText, type XmlElement } from './xml.js'

/** Marlin's licences are for its own clients, so what is redeemed is a stand-in (spec: marlin.md). */
const disabled = { code: -2031, details: 'Marlin is disabled for this account' } as const

const common = {
  drm: 'marlin',
  kid: 'optional',
  disabled,
  tooLong: { code: -2037, parameter: 'extensionPayload' },
  algorithm: 'aesctr',
  tokenVersion: 5,
  strayNumber: -2035,
  deviceBinding: 'always',
} as const

export const ms3: TokenFamily = {
  ...common,
  name: 'ms3',
  title: 'Marlin MS3',
  number: 3,
  tokenPath: '/hms/ms3/token',
  keySchema: ms3Keys,
  policySchema: ms3Schema,
  tokenParameters: ms3Answer,
  answer: {
    contentType: 'text/uri-list',
    text: (issued, { contentURL, ms3SchemeType, ms3Scheme }) => {
      const scheme = ms3SchemeType === 'ms3hs' ? 'ms3hs:' : ms3Scheme === 'true' ? 'ms3:' : undefined
      const url = urlWithToken(issued, MS3_TOKEN_NAME)
      const fragment = contentURL === undefined ? '' : `#${encodeURIComponent(String(contentURL).toWellFormed())}`
      return `${scheme === undefined ? url : url.replace(/^https?:/i, scheme)}${fragment}`
    },
    read: readMs3Url,
  },
  openPolicy: {},
  writePolicy: (out, policy) => writeMs3Policy(out, policy),
  readPolicy: readMs3Policy,
  licenceHost: { label: HOST_LABELS.ms3, scheme: 'as reached' },
  licences: opaqueLicences({
    drm: 'marlin',
    name: 'ms3',
    path: '/hms/ms3/rights/',
    tokenParameter: MS3_TOKEN_NAME,
    answersGet: true,
  }),
}

/** Which scheme another service answers in is the request's affair; the URL of its licences is reached over https. */
function readMs3Url(text: string): IssuedToken | undefined {
  return tokenOfUrl(text.trim().replace(/^ms3(?:hs)?:/i, 'https:'), MS3_TOKEN_NAME)
}

type LicencePolicy<P> = Partial<Omit<P, 'useHttps'>>

const OVERRIDE = 1
const CONTROL_FLAGS = 2
const CONTROL_VALUE = 4
const EXTENSION = 8
const OLDER_EXTENSION = 16
const CRITICAL = 32
const NOT_CRITICAL = 64

function writeMs3Policy(out: ByteWriter, policy: LicencePolicy<Ms3Policy>): void {
  const { outputControlOverride, outputControlFlags, outputControlValue, extensionType, extensionPayload } = policy
  const { extensionCriticalFlag: critical, ms3Extension } = policy
  out.uint(
    (outputControlOverride === undefined ? 0 : OVERRIDE) |
      (outputControlFlags === undefined ? 0 : CONTROL_FLAGS) |
      (outputControlValue === undefined ? 0 : CONTROL_VALUE) |
      (extensionType === undefined ? 0 : EXTENSION) |
      (ms3Extension === undefined ? 0 : OLDER_EXTENSION) |
      (critical === undefined ? 0 : critical === 'true' ? CRITICAL : NOT_CRITICAL),
    1,
  )
  if (outputControlOverride !== undefined) out.longText(outputControlOverride)
  if (outputControlFlags !== undefined) out.hex(outputControlFlags)
  if (outputControlValue !== undefined) out.hex(outputControlValue)
  if (extensionType !== undefined && extensionPayload !== undefined) {
    out.text(extensionType)
    out.uint(extensionPayload.length, 2)
    out.bytes(extensionPayload)
  }
  if (ms3Extension !== undefined) out.longText(ms3Extension)
}

function readMs3Policy(from: ByteReader): LicencePolicy<Ms3Policy> {
  const present = from.uint(1)
  const policy: LicencePolicy<Ms3Policy> = {}
  if (present & OVERRIDE) policy.outputControlOverride = from.longText()
  if (present & CONTROL_FLAGS) policy.outputControlFlags = from.hex(4)
  if (present & CONTROL_VALUE) policy.outputControlValue = from.hex(4)
  if (present & EXTENSION) {
    policy.extensionType = from.text()
    policy.extensionPayload = from.bytes(from.uint(2)) as Buffer<ArrayBuffer> // copied by the reader
  }
  if (present & OLDER_EXTENSION) policy.ms3Extension = from.longText()
  if (present & CRITICAL) policy.extensionCriticalFlag = 'true'
  if (present & NOT_CRITICAL) policy.extensionCriticalFlag = 'false'
  return policy
}

export const broadband: TokenFamily = {
  ...common,
  name: 'bb',
  title: 'Marlin Broadband',
  number: 4,
  tokenPath: '/hms/bb/token',
  keySchema: broadbandKeys,
  policySchema: broadbandSchema,
  tokenParameters: broadbandAction,
  aliases: { tokenType: 'rightsType' },
  answer: {
    contentType: 'application/vnd.marlin.drm.actiontoken+xml',
    text: (issued, { actionTokenType }) => actionToken(issued, String(actionTokenType ?? ACTIONS.licence)),
    read: readActionToken,
  },
  openPolicy: { rightsType: 'BuyToOwn', generalFlags: '00000000' },
  writePolicy: (out, policy) => writeBroadbandPolicy(out, policy),
  readPolicy: readBroadbandPolicy,
  licenceHost: { label: HOST_LABELS.bb, scheme: 'as reached' },
  licences: opaqueLicences({ drm: 'marlin', name: 'bb', path: '/hms/bb/rights/' }, body => ({
    tokens: businessTokensOf(body.toString('utf8')),
  })),
}

const ELEMENTS: Readonly<Record<string, string>> = {
  [ACTIONS.registration]: 'Registration',
  [ACTIONS.licence]: 'LicenseAcquisition',
  [ACTIONS.deregistration]: 'Deregistration',
}

/** What a Marlin client does next, and with which token. */
function actionToken({ licenseAcquisitionUrl, token }: IssuedToken, action: string): string {
  const element = ELEMENTS[action]
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<ActionToken xmlns="urn:marlin:broadband:1-2:nemo:services:action-token">' +
    '<ConfigurationInfo><broadbandServiceId>urn:expressplay-token-backend:broadband</broadbandServiceId>' +
    '<configVersion>1</configVersion>' +
    `<ResourceLocation>${xmlText(licenseAcquisitionUrl)}</ResourceLocation></ConfigurationInfo>` +
    `<${element}><BusinessToken>${Buffer.from(token, 'base64url').toString('base64')}</BusinessToken></${element}>` +
    '</ActionToken>\n'
  )
}

function readActionToken(text: string): IssuedToken | undefined {
  const root = parseXml(text)
  if (root?.name !== 'ActionToken') return undefined
  const location = findDescendant(root, 'ResourceLocation', [])
  const token = businessTokenIn(root)
  if (location === undefined || token === undefined || !BASE64.test(token)) return undefined
  return { licenseAcquisitionUrl: wholeText(location).trim(), token: inBase64url(token) }
}

const BASE64 = /^[\w+/-]+={0,2}$/

function businessTokensOf(text: string): string[] {
  const root = text.includes('BusinessToken') ? parseXml(text) : undefined
  const token = root && businessTokenIn(root)
  return token === undefined ? [] : [inBase64url(token)]
}

/** As it is written, but for line breaks. */
function businessTokenIn(root: XmlElement): string | undefined {
  const element = findDescendant(root, 'BusinessToken', [])
  return element && wholeText(element).replace(/\s+/g, '')
}

/** A business token is written in base64; the tokens of this service are base64url. */
function inBase64url(token: string): string {
  return Buffer.from(token, 'base64').toString('base64url')
}

const RIGHTS = ['BuyToOwn', 'Rental'] as const
const PERIOD_END = 1
const PLAY_DURATION = 2
const PERSISTENT = 4
const OVERRIDE_ID = 8
const OVERRIDE_PARAMETER = 16
const OVERRIDE_VALUE = 32

function writeBroadbandPolicy(out: ByteWriter, policy: LicencePolicy<BroadbandPolicy>): void {
  const end = policy['rental.periodEndTime']
  const duration = policy['rental.playDuration']
  const {
    outputControlOverrideId: id,
    outputControlOverrideParameter: name,
    outputControlOverrideValue: value,
  } = policy
  out.uint(RIGHTS.indexOf(policy.rightsType ?? 'BuyToOwn'), 1)
  out.uint(
    (end === undefined ? 0 : PERIOD_END) |
      (duration === undefined ? 0 : PLAY_DURATION) |
      (policy.generalFlags === '00000001' ? PERSISTENT : 0) |
      (id === undefined ? 0 : OVERRIDE_ID) |
      (name === undefined ? 0 : OVERRIDE_PARAMETER) |
      (value === undefined ? 0 : OVERRIDE_VALUE),
    1,
  )
  if (end !== undefined) out.uint(end, 6)
  if (duration !== undefined) out.uint(duration, 4)
  for (const text of [id, name, value]) if (text !== undefined) out.longText(text)
}

function readBroadbandPolicy(from: ByteReader): LicencePolicy<BroadbandPolicy> {
  const rightsType = from.oneOf(RIGHTS)
  const present = from.uint(1)
  const policy: LicencePolicy<BroadbandPolicy> = {
    rightsType,
    generalFlags: present & PERSISTENT ? '00000001' : '00000000',
  }
  if (present & PERIOD_END) policy['rental.periodEndTime'] = from.uint(6)
  if (present & PLAY_DURATION) policy['rental.playDuration'] = from.uint(4)
  if (present & OVERRIDE_ID) policy.outputControlOverrideId = from.longText()
  if (present & OVERRIDE_PARAMETER) policy.outputControlOverrideParameter = from.longText()
  if (present & OVERRIDE_VALUE) policy.outputControlOverrideValue = from.longText()
  return policy
}
