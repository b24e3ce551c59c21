/**
 * The catalogue of documented errors, in the order in which the checks run: of several faults in one request the
 * first in this list is the answer (spec: errors.json).
 */
const catalogue = [
  [-3004, 400, 'Invalid error format specified: <format>'],
  [-2017, 401, 'Authentication token must be supplied'],
  [-2018, 401, 'Authentication token invalid: <details>'],
  [-2031, 401, 'Service Account Disabled'],
  [-5002, 400, 'PlayReady option is disabled for this service'],
  [-6006, 400, 'Service not authorized for FairPlay support'],
  [-6009, 400, 'FairPlay option disabled'],
  [-7011, 400, 'Widevine option disabled'],
  [-4018, 400, 'Missing kid'],
  [-4021, 400, 'kid must be 64 characters long after the ^'],
  [-4020, 400, 'kid must be 32 hexadecimal characters long'],
  [-4022, 400, 'Invalid kid'],
  [-5007, 400, 'Only one of kek or contentKey can be specified'],
  [-2027, 400, 'Content encryption key must be 32-hexadecimal digits long'],
  [-2005, 400, 'Invalid content encryption key: <details>'],
  [-4024, 400, 'Invalid encrypted key or kek'],
  [-4019, 400, 'Failed to get content key from key storage service'],
  [-6005, 400, 'Invalid key data specified'],
  [-6003, 400, 'Invalid iv parameter specified'],
  [-2020, 400, 'Missing rights type'],
  [-2021, 400, 'Invalid rights type'],
  [-5003, 400, 'Invalid general flags'],
  [-7003, 400, 'Missing security level value'],
  [-7004, 400, 'Invalid security level value'],
  [-7006, 400, 'Missing HDCP output control value'],
  [-2022, 400, 'Missing rental period end time'],
  [-2023, 400, 'Missing rental play duration'],
  [-2025, 400, 'Invalid rental play duration'],
  [-5006, 400, 'Missing OPL value'],
  [-2034, 400, 'Invalid Output Control, values out of specified range'],
  [-7007, 400, 'Invalid license duration specified'],
  [-7009, 400, 'Invalid WVExtension parameters specified'],
  [-6007, 400, 'Invalid rental duration specified'],
  [-6001, 400, 'Invalid FPExtension parameters specified'],
  [-5001, 400, 'Invalid unknown output type error'],
  [-2040, 400, 'OutputControlFlag must be encode 4 bytes'],
  [-2008, 400, 'Invalid output control flags specified: <details>'],
  [-2036, 400, 'Extension type should be 4 characters'],
  [-2035, 400, 'No corresponding value specified'],
  [-2037, 400, 'Extension payload should be Base64 encoded'],
  [-2002, 400, 'Invalid token expiration time: <details>'],
  [-7002, 400, 'Device ID binding is not supported for Widevine'],
  [-6008, 400, 'Device ID binding is not supported for FairPlay'],
  [-5004, 400, 'Device ID must be 32 hexadecimal characters long'],
  [-5005, 400, 'Invalid device ID'],
  [-2003, 400, 'Invalid IP address'],
  [-2033, 400, 'Invalid cookie'],
  [-2019, 400, 'Insufficient tokens available'],
  [-2030, 503, 'ExpressPlay Admin error: <details>'],
  [-4001, 403, 'Device could not be authenticated'],
  [-4010, 403, 'Invalid token'],
  [-6002, 400, 'Invalid FP Token Type'],
  [-6004, 500, 'Failed to generate CKC for FP'],
  [-7008, 500, 'Failed to generate Widevine license'],
] as const

export type ErrorCode = (typeof catalogue)[number][0]

export interface DocumentedError {
  readonly code: ErrorCode
  readonly status: number
  /** The documented text; `<…>` stands for details. */
  readonly message: string
  /** The place in the catalogue: of several faults the lowest rank is the answer. */
  readonly rank: number
}

export const documentedErrors: ReadonlyMap<ErrorCode, DocumentedError> = new Map(
  catalogue.map(([code, status, message], rank) => [code, { code, status, message, rank }]),
)

/** One rule that a request broke: which documented error, which parameter, and what else helps to mend it. */
export interface Fault {
  readonly code: ErrorCode
  readonly parameter?: string | undefined
  readonly details?: string | undefined
  /** The documented text, where its DRM has one of its own. */
  readonly text?: string | undefined
}

/** The fault that a request is answered with: the first in the catalogue's order, the first found among equals. */
export function firstFault(faults: readonly Fault[]): Fault | undefined {
  return faults.reduce<Fault | undefined>(
    (first, fault) =>
      first === undefined || documentedError(fault.code).rank < documentedError(first.code).rank ? fault : first,
    undefined,
  )
}

/** Matches faults that come no later in the catalogue than `code`: a request is read in parts, in the catalogue's order. */
export function noLaterThan(code: ErrorCode): (fault: Fault) => boolean {
  const last = documentedError(code).rank
  return fault => documentedError(fault.code).rank <= last
}

export function documentedError(code: ErrorCode): DocumentedError {
  const documented = documentedErrors.get(code)
  if (documented === undefined) throw new Error(`error ${code} is not in the catalogue`)
  return documented
}
