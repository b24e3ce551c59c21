import { PublicError } from '../errors.js'

/**
 * Why a viewer may not have a key, by the number that the answer carries. The numbers are stable: clients show them.
 * Refusals of the token itself keep the documented numbers of the token service, which are below zero, and what HTTP
 * refuses has the number of its status, which is below 1000.
 */
const refusals = {
  notJson: [1001, 'The body is not JSON'],
  field: [1002, 'A field is missing or wrong'],
  version: [1003, 'Unknown version'],
  cookieMissing: [1004, 'This request type needs a customerCookie'],
  unknownContent: [1101, 'Unknown content'],
  notListed: [1102, 'The viewer may not have this content'],
  over: [1103, 'The content is not available any more'],
  noDevice: [1104, 'No device is registered under this customerCookie'],
  tooManyDevices: [1105, 'Too many devices are registered under this customerCookie'],
  webhookDenied: [1106, 'The customer does not allow it'],
  webhookFailed: [1107, 'The customer could not be asked'],
  devicesUnknown: [1108, 'The registered devices could not be looked up'],
  clientCertificate: [1201, 'The client certificate is missing or not accepted'],
} as const satisfies Record<string, readonly [number, string]>

export type RefusalReason = keyof typeof refusals

export interface DocumentedRefusal {
  readonly reason: RefusalReason
  readonly number: number
  readonly text: string
}

export const documentedRefusals: readonly DocumentedRefusal[] = Object.entries(refusals).map(
  ([reason, [number, text]]) => ({ reason: reason as RefusalReason, number, text }), // the table's own keys
)

/** A refusal with its number: a decision is answered with status 200, a request that can't be read is not one. */
export class EntitlementRefusal extends PublicError {
  readonly reason: RefusalReason

  constructor(reason: RefusalReason, { details, status = 200, cause }: RefusalDetails = {}) {
    const [number, text] = refusals[reason]
    super(details === undefined ? text : `${text}: ${details}`, { code: number, status, cause })
    this.reason = reason
  }
}

export interface RefusalDetails {
  readonly details?: string | undefined
  readonly status?: number
  /** For the log alone. */
  readonly cause?: unknown
}
