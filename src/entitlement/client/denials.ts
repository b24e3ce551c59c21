/**
 * Why this client denies what the service has not denied. The numbers are stable, and differ from those of our own
 * service, which are in `src/errors/entitlement-refusal.ts`.
 */
const denials = {
  noReason: [1300, 'The entitlement service does not allow it'],
  unreachable: [1301, 'The entitlement service could not be reached'],
  late: [1302, 'The entitlement service did not answer in time'],
  untrusted: [1303, 'The certificate of the entitlement service is not trusted'],
  status: [1304, 'The entitlement service answered with a status that is no decision'],
  tooLarge: [1305, 'The answer of the entitlement service is too large'],
  notDocumented: [1306, 'The answer of the entitlement service is not the documented one'],
  otherMessage: [1307, 'The entitlement service answered another message'],
  higherVersion: [1308, 'The entitlement service answered in a higher version'],
  noTokenUrl: [1309, 'The entitlement service allowed it without a token URL'],
  closed: [1310, 'The client is closed'],
} as const satisfies Record<string, readonly [number, string]>

export type DenialReason = keyof typeof denials

export interface DocumentedDenial {
  readonly reason: DenialReason
  readonly number: number
  readonly text: string
}

export const documentedDenials: readonly DocumentedDenial[] = Object.entries(denials).map(
  ([reason, [number, text]]) => ({ reason: reason as DenialReason, number, text }), // the table's own keys
)

/** The viewer may not have the key, or the service did not clearly allow it. */
export interface Denied {
  readonly isAllowed: false
  readonly error: number
  readonly errorText: string
  /** Why this client denies it; undefined when the service denies it. */
  readonly failure?: Failure
}

export interface Failure {
  readonly reason: DenialReason
  /** A code for the log, such as ECONNREFUSED. */
  readonly detail?: string | undefined
}

export function denied(reason: DenialReason, detail?: string): Denied {
  const [error, errorText] = denials[reason]
  return { isAllowed: false, error, errorText, failure: { reason, detail } }
}

/** A denial by the service, with its text if there is one. */
export function deniedByService(error: number, text: string): Denied {
  const [noNumber, noText] = denials.noReason
  return { isAllowed: false, error: error === 0 ? noNumber : error, errorText: printable(text) || noText }
}

const MAX_TEXT = 200

/** Logs and screens show the text. */
function printable(text: string): string {
  const oneLine = text.replace(/[\p{C}\p{Z}]+/gu, ' ').trim()
  return [...oneLine].slice(0, MAX_TEXT).join('')
}
