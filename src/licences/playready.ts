import type { LicenceFamily } from './family.js'
import { readPlayreadyChallenge } from './playready-challenge.js'
import { SOAP_TYPE, standInResponse } from './soap.js'
import { standIn } from './stand-in.js'

/** PlayReady speaks SOAP, and its refusals are faults. */
export const playready: LicenceFamily = {
  drm: 'playready',
  refusals: 'soap',
  read: body => ({
    ...readPlayreadyChallenge(body),
    licence: redemption => ({ contentType: SOAP_TYPE, text: standInResponse(standIn(redemption)) }),
  }),
}
