import { demoAccount } from './accounts/account-seeds.js'

/** The request that ExpressPlay's documentation publishes, which the demo account may make. */
export const sampleParameters = {
  customerAuthenticator: demoAccount.authenticators.test,
  errorFormat: 'json',
  kid: 'b366360da82e9c6e0b0984002a362cf2',
  contentKey: 'b366360da82e9c6e0b0984002a362cf2',
  rightsType: 'BuyToOwn',
  analogVideoOPL: '0',
  compressedDigitalAudioOPL: '0',
  compressedDigitalVideoOPL: '0',
  uncompressedDigitalAudioOPL: '0',
  uncompressedDigitalVideoOPL: '0',
} as const
