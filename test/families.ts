import { TOKEN_FAMILIES } from '../src/drm/families.js'
import type { TokenFamily } from '../src/drm/family.js'
import { form } from './harness.js'

/** What tests of every DRM need to know of one. */
export interface FamilyCase {
  readonly family: TokenFamily
  /** A plain token request, beside the authenticator and the form of errors. */
  readonly order: Readonly<Record<string, string>>
  /** The licence URL of the real service. */
  readonly licenceUrl: string
  /** The real service's answer with this token, in the documented form. */
  answer(token: string): string
}

const domain = 'test.expressplay.com'

type Own = Pick<FamilyCase, 'licenceUrl' | 'answer'>

const CASES: Readonly<Record<string, Own>> = {
  playready: {
    licenceUrl: `https://pr.${domain}/playready/RightsManager.asmx`,
    answer: token =>
      JSON.stringify({ licenseAcquisitionUrl: `https://pr.${domain}/playready/RightsManager.asmx`, token }),
  },
  widevine: {
    licenceUrl: `https://wv.${domain}/hms/wv/rights/`,
    answer: token => `https://wv.${domain}/hms/wv/rights/?ExpressPlayToken=${token}`,
  },
  fairplay: {
    // As the documented sample has it.
    licenceUrl: `https://fp.${domain}:80/hms/fp/rights/`,
    answer: token => `https://fp.${domain}:80/hms/fp/rights/?ExpressPlayToken=${token}`,
  },
  ms3: {
    licenceUrl: `https://ms3.${domain}:8443/hms/ms3/rights/`,
    answer: token => `ms3hs://ms3.${domain}:8443/hms/ms3/rights/?b=${token}#https%3A%2F%2Fmedia.example.com%2Fa.mpd`,
  },
  bb: {
    licenceUrl: `https://bb.${domain}/hms/bb/rights/`,
    answer: token =>
      `<?xml version="1.0"?>\n<at:ActionToken xmlns:at="urn:marlin:broadband:1-2:nemo:services:action-token">` +
      `<at:ConfigurationInfo><at:broadbandServiceId>urn:bb</at:broadbandServiceId><at:configVersion>1</at:configVersion>` +
      `<at:ResourceLocation>https://bb.${domain}/hms/bb/rights/</at:ResourceLocation></at:ConfigurationInfo>` +
      `<at:LicenseAcquisition><at:BusinessToken>${Buffer.from(token, 'base64url').toString('base64')}</at:BusinessToken>` +
      `</at:LicenseAcquisition></at:ActionToken>\n`,
  },
}

/** Every kind of tokens that is issued. */
export const FAMILIES: readonly FamilyCase[] = TOKEN_FAMILIES.map(family => ({
  family,
  order: Object.fromEntries(form({ customerAuthenticator: null, errorFormat: null }, family)),
  ...caseOf(family),
}))

function caseOf({ name }: TokenFamily): Own {
  const own = CASES[name]
  if (own === undefined) throw new Error(`no case for ${name}`)
  return own
}
