import { demoAccount } from './accounts/demo-account.js'
import type { TokenFamily } from './drm/family.js'

const key = {
  customerAuthenticator: demoAccount.authenticators.test,
  errorFormat: 'json',
  kid: 'b366360da82e9c6e0b0984002a362cf2',
  contentKey: 'b366360da82e9c6e0b0984002a362cf2',
} as const

/** The request that ExpressPlay's documentation publishes, which the demo account may make. */
export const sampleParameters = {
  ...key,
  rightsType: 'BuyToOwn',
  analogVideoOPL: '0',
  compressedDigitalAudioOPL: '0',
  compressedDigitalVideoOPL: '0',
  uncompressedDigitalAudioOPL: '0',
  uncompressedDigitalVideoOPL: '0',
} as const

const SAMPLES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  playready: sampleParameters,
  widevine: { ...key, securityLevel: '1', hdcpOutputControl: '0' },
  fairplay: { ...key, iv: '00112233445566778899aabbccddeeff' },
  ms3: key,
  bb: { ...key, rightsType: 'BuyToOwn' },
}

/** A plain request for a token of this family: the same key in each. */
export function sampleRequest({ name }: Pick<TokenFamily, 'name'>): Readonly<Record<string, string>> {
  return SAMPLES[name] ?? key
}
