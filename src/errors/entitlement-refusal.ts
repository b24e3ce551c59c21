import { PublicError } from './public-error.js'

/**
 * Why a viewer may not have a key, by the number that the answer carries. The numbers are stable: clients show them.
 * Refusals of the token itself keep the documented numbers of the token service, which are below zero, and what HTTP
 * refuses has the number of its status, which is below 1000. A decision is answered with status 200; a request that
 * can't be read, or can't be decided now, is an error.
 */
const refusals = {
  notJson: [1001, 400, 'The body is not JSON'],
  field: [1002, 400, 'A field is missing or wrong'],
  version: [1003, 200, 'Unknown version'],
  cookieMissing: [1004, 200, 'This request type needs a customerCookie'],
  unknownContent: [1101, 200, 'Unknown content'],
  notListed: [1102, 200, 'The viewer may not have this content'],
  over: [1103, 200, 'The content is not available any more'],
  noDevice: [1104, 200, 'No device is registered under this customerCookie'],
  tooManyDevices: [1105, 200, 'Too many devices are registered under this customerCookie'],
  webhookDenied: [1106, 200, 'The customer does not allow it'],
  webhookFailed: [1107, 200, 'The customer could not be asked'],
  devicesUnknown: [1108, 503, 'The registered devices could not be looked up'],
  noLicence: [1109, 200, 'The content has no licence for this DRM'],
  clientCertificate: [1201, 403, 'The client certificate is missing or not accepted'],
} as const satisfies Record<string, readonly [number, number, string]>

export type RefusalReason = keyof typeof refusals

export interface DocumentedRefusal {
  readonly reason: RefusalReason
  readonly number: number
  readonly status: number
  readonly text: string
}

export const documentedRefusals: readonly DocumentedRefusal[] = Object.entries(refusals).map(
  ([reason, [number, status, text]]) => ({ reason: reason as RefusalReason, number, status, text }), // the table's own keys
)

/** A refusal with its number. */
export class EntitlementRefusal extends PublicError {
  readonly reason: RefusalReason

  constructor(reason: RefusalReason, { details, status, ...parts }: RefusalDetails = {}) {
    const [number, documented, text] = refusals[reason]
    super(details === undefined ? text : `${text}: ${details}`, {
      code: number,
      status: status ?? documented,
      ...parts,
    })
    this.reason = reason
  }
}

export interface RefusalDetails {
  readonly details?: string | undefined
  /** Where it is not the table's. */
  readonly status?: number
  /** Seconds after which it may be worth to ask again. */
  readonly retryAfter?: number | undefined
  readonly isInjected?: boolean
  /** For the log alone. */
  readonly cause?: unknown
}
