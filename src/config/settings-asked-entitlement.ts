import * as z from 'zod'
import { groupMeta, settingMeta } from './setting.js'
import { httpsUrl, oneOf, pemFile, wholeNumber } from './setting-rules.js'

export const askedEntitlementGroup = z
  .object({
    ENTITLEMENT_URL: httpsUrl.optional().register(settingMeta, {
      description:
        'An entitlement service, this one or another, that [our licence endpoints ask](licences.md) before they grant. The URL includes `/entitlement`.',
      example: 'https://sees.example.com/entitlement',
    }),
    ENTITLEMENT_URL_WHEN: oneOf(['always', 'without-token']).default('always').register(settingMeta, {
      description: 'Whether it is also asked about key requests that bring a token.',
      example: 'without-token',
    }),
    ENTITLEMENT_URL_CERT: pemFile.optional().register(settingMeta, {
      description:
        'The certificate that we show there. It needs `ENTITLEMENT_URL_KEY`. These files are read at the start only.',
      example: 'certs/client.pem',
    }),
    ENTITLEMENT_URL_KEY: pemFile.optional().register(settingMeta, {
      description: 'The key of that certificate.',
      example: 'certs/client.key.pem',
    }),
    ENTITLEMENT_URL_CA: pemFile.optional().register(settingMeta, {
      description: "The authorities of the service's certificate. Without it, those of the system.",
      example: 'certs/ca.pem',
    }),
    ENTITLEMENT_URL_TIMEOUT: wholeNumber(1, 60_000).default(2000).register(settingMeta, {
      description: 'Milliseconds that an answer may take; after that no licence is granted.',
      example: '1000',
    }),
  })
  .register(groupMeta, { title: 'Licences that an entitlement service decides, for MODE=emulate' })

/** An entitlement service that our licence endpoints ask before they grant. */
export interface AskedEntitlement {
  readonly url: URL
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  readonly caFile: string | undefined
  /** Milliseconds. */
  readonly timeout: number
  /** Whether a key request that brings a token is asked about as well. */
  readonly when: 'always' | 'without-token'
}

type Given = z.output<typeof askedEntitlementGroup> & { readonly MODE: string }

/** The service to ask, where there is one. What is wrong is added to `faults`. */
export function readAskedEntitlement(given: Given, faults: string[]): AskedEntitlement | undefined {
  const { ENTITLEMENT_URL: url, ENTITLEMENT_URL_CERT: certFile, ENTITLEMENT_URL_KEY: keyFile } = given
  if (url === undefined) return undefined
  if (given.MODE !== 'emulate')
    faults.push('ENTITLEMENT_URL is for MODE=emulate: in the other modes it is not this service that grants licences')
  if ((certFile === undefined) !== (keyFile === undefined))
    faults.push('ENTITLEMENT_URL_CERT and ENTITLEMENT_URL_KEY must be given together')
  return {
    url,
    certFile,
    keyFile,
    caFile: given.ENTITLEMENT_URL_CA,
    timeout: given.ENTITLEMENT_URL_TIMEOUT,
    when: given.ENTITLEMENT_URL_WHEN,
  }
}
