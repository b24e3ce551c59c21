import { documentedRefusals } from '../errors/entitlement-refusal.js'
import { documentedError, documentedErrors, type ErrorCode } from '../errors/error-catalogue.js'
import type { LicenceDrm, TokenDrm } from '../ground/drms.js'
import type { Endpoint } from './endpoint.js'

/** Codes that not every DRM's token endpoint documents (spec: errors.json), but -2034, which any of them may say. */
export const ONLY_FOR: ReadonlyMap<ErrorCode, readonly TokenDrm[]> = new Map([
  [-5002, ['playready']],
  [-6006, ['fairplay']],
  [-6009, ['fairplay']],
  [-7011, ['widevine']],
  [-5007, ['playready', 'widevine', 'marlin']],
  [-6005, ['widevine', 'fairplay']],
  [-6003, ['fairplay']],
  [-2020, ['playready', 'marlin']],
  [-2021, ['playready', 'marlin']],
  [-7003, ['widevine']],
  [-7004, ['widevine']],
  [-7006, ['widevine']],
  [-2022, ['playready', 'marlin']],
  [-2023, ['playready', 'marlin']],
  [-2025, ['playready', 'marlin']],
  [-5006, ['playready']],
  [-7007, ['widevine']],
  [-7009, ['widevine']],
  [-6007, ['fairplay']],
  [-6001, ['fairplay']],
  [-5001, ['playready']],
  [-2040, ['playready', 'marlin']],
  [-2008, ['playready', 'marlin']],
  [-2036, ['playready', 'marlin']],
  [-2035, ['playready', 'marlin']],
  [-2037, ['playready', 'marlin']],
  [-7002, ['widevine']],
  [-6008, ['fairplay']],
  [-5004, ['playready', 'fairplay', 'marlin']],
  [-5005, ['playready', 'fairplay', 'marlin']],
  [-6002, ['fairplay']],
  [-6004, ['fairplay']],
  [-7008, ['widevine']],
])

/** What is said to key requests alone. */
const LICENCE_ONLY: ReadonlySet<number> = new Set([-4001, -4010, -6002, -6004, -7008])
const LICENCE: ReadonlySet<number> = new Set([...LICENCE_ONLY, -2003, -2019, -2030, -2031, -4018, -4022])
const RECORDS: ReadonlySet<number> = new Set([-3004, -2017, -2018, -2031, -2030])
const KEYSTORE: ReadonlySet<number> = new Set([-2017, -2018, -2031, 1, 2, 3, 5])
/** A viewer brings no authenticator, and the form of errors is fixed. */
const NOT_OF_VIEWERS: ReadonlySet<number> = new Set([...LICENCE_ONLY, -3004, -2017, -2018])
const DECISIONS: ReadonlySet<number> = new Set(documentedRefusals.map(({ number }) => number))

/** Whether the endpoint's documentation has this error code. */
export function isDocumented(code: number, endpoint: Endpoint): boolean {
  switch (endpoint.kind) {
    case 'token':
      return isOfCatalogue(code) && !LICENCE_ONLY.has(code) && isOfDrm(code, endpoint.family.drm)
    case 'licence':
      return isOfCatalogue(code) && LICENCE.has(code) && isOfDrm(code, endpoint.family.drm)
    case 'records':
      return RECORDS.has(code)
    case 'keystore':
      return KEYSTORE.has(code)
    case 'entitlement':
      return DECISIONS.has(code) || (isOfCatalogue(code) && !NOT_OF_VIEWERS.has(code))
    default:
      return false
  }
}

export function isOfCatalogue(code: number): code is ErrorCode {
  return documentedErrors.has(code as ErrorCode) // whether it is one is the question
}

function isOfDrm(code: ErrorCode, drm: LicenceDrm): boolean {
  return ONLY_FOR.get(code)?.some(one => one === drm) ?? true
}

/** Before the endpoint sees the request: what the service says of requests that it cannot read, or of who sends them. */
export const ARRIVAL = 'arrival'
const AT_ARRIVAL: ReadonlySet<number> = new Set([
  -3004,
  ...documentedRefusals.flatMap(({ reason, number }) =>
    reason === 'notJson' || reason === 'field' || reason === 'clientCertificate' ? number : [],
  ),
])

/** Steps of a token request, each with the last code of the catalogue that is said there. */
const STEPS: readonly (readonly [step: string, last: ErrorCode])[] = [
  ['credentials', -2017],
  ['account', -2018],
  ['enabled', -2031],
  ['drm', -7011],
  ['keys', -6003],
  ['terms', -2033],
]

/** The last step before that at which a token is made, or anything else is written. */
export function stepBeforeWriting({ kind }: Endpoint): string {
  if (kind === 'token' || kind === 'entitlement') return 'device'
  return kind === 'licence' ? 'granted' : 'account'
}

/** The step after which the service would say this code. */
export function stepOf(code: number, endpoint: Endpoint): string {
  if (AT_ARRIVAL.has(code)) return ARRIVAL
  if (endpoint.kind === 'entitlement') return 'account'
  if (endpoint.kind !== 'token' || !isOfCatalogue(code)) return stepBeforeWriting(endpoint)
  const { rank } = documentedError(code)
  return STEPS.find(([, last]) => rank <= documentedError(last).rank)?.[0] ?? stepBeforeWriting(endpoint)
}
