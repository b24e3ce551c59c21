import { documentedRefusals, EntitlementRefusal } from '../errors/entitlement-refusal.js'
import { documentedError } from '../errors/error-catalogue.js'
import { KeyStorageError } from '../errors/key-storage-error.js'
import { type PublicError, TokenError } from '../errors/public-error.js'
import { isOfCatalogue } from './documented-codes.js'
import type { Endpoint } from './endpoint.js'

const isInjected = true

/** The refusal that the endpoint documents for this code. */
export function injectedRefusal(code: number, endpoint: Endpoint, route: string): PublicError {
  if (isOfCatalogue(code)) {
    const text = endpoint.kind === 'token' ? endpoint.family.errorTexts?.[code] : undefined
    const details = documentedError(code).message.endsWith('>') ? 'an emulated fault' : undefined
    // -2003 is 403 for a token that is bound to another address, and 400 for a malformed address.
    const isForbidden = code === -2003 && endpoint.kind === 'licence'
    return new TokenError({ code, text, details }, { isInjected, ...(isForbidden && { status: 403 }) })
  }
  if (endpoint.kind === 'keystore') return keyStorageRefusal(code, route)
  const refusal = documentedRefusals.find(({ number }) => number === code)
  if (refusal === undefined) throw new Error(`no refusal has the code ${code}`)
  return new EntitlementRefusal(refusal.reason, { isInjected })
}

/** As if the database could not be reached. */
export function injectedOutage({ kind }: Endpoint): PublicError {
  if (kind === 'keystore') return keyStorageRefusal(1, '')
  const details = 'the account store or the ledger is unavailable'
  return new TokenError({ code: -2030, details }, { isInjected })
}

function keyStorageRefusal(code: number, route: string): KeyStorageError {
  switch (code) {
    case 2:
      return route.includes('/:kid')
        ? new KeyStorageError('notFound', 'There is no such key')
        : new KeyStorageError('parameter', 'A parameter is wrong')
    case 3:
      return new KeyStorageError('syntax', 'The body is not a JSON object')
    case 5:
      return new KeyStorageError('incorrectKek', 'The KEK does not open the key')
    default:
      return new KeyStorageError('unavailable', 'The key storage is unavailable')
  }
}
