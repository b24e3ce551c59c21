import * as z from 'zod'
import { EntitlementRefusal } from '../src/errors/entitlement-refusal.js'
import { TOKEN_DRMS } from '../src/ground/drms.js'
import { compiledOnUse } from './compiled.js'
import { jsonFaults } from './json-faults.js'

/** The version of the protocol that is spoken here (spec: sees.md). */
export const VERSION = 1

export const REQUEST_TYPES = { timeBased: 1, deviceRegistration: 2, deviceBound: 3 } as const
export type RequestType = (typeof REQUEST_TYPES)[keyof typeof REQUEST_TYPES]

const GUID = /^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/

const GUID_RULE = 'must be a GUID, such as 3f2504e0-4f89-11d3-9a0c-0305e82c3301'
export const guid = z.string(GUID_RULE).regex(GUID, GUID_RULE)

/** A viewer, as the customer names one: the same rule as for the `cookie` of a token. */
export const customerCookie = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,32}$/u, 'must have 1 to 32 characters')

export const entitlementRequest = z
  .object({
    messageID: guid.meta({ description: 'Repeated in the answer.' }),
    version: z.int().meta({ description: `The version of the protocol: ${VERSION}.` }),
    requestType: z
      .union([z.literal(1), z.literal(2), z.literal(3)], 'must be 1, 2 or 3')
      .default(1)
      .meta({ description: '1 time-based, 2 device registration, 3 device-bound; without it, 1.' }),
    contentID: guid.meta({ description: 'The id that the content got when it was packaged.' }),
    customerCookie: z
      .string()
      .regex(/^[^\p{Cc}\p{Cs}]{0,32}$/u, 'must have at most 32 characters')
      .transform(cookie => (cookie === '' ? undefined : cookie))
      .optional()
      .meta({ description: 'The viewer, up to 32 characters; empty is none. Required for request types 2 and 3.' }),
    drm: z
      .enum(TOKEN_DRMS, `must be ${TOKEN_DRMS.join(', ')}`)
      .optional()
      .meta({ description: 'The DRM of the licence; without it the first one of the content. A field of ours.' }),
  })
  .meta({ description: 'Asks whether a viewer may have a key.' })

export const entitlementAnswer = z
  .strictObject({
    messageID: z.string().meta({ description: 'That of the request; empty where it could not be read.' }),
    version: z.int().meta({ description: "Not above the request's." }),
    isAllowed: z.boolean(),
    epTokenURL: z
      .string()
      .meta({ description: 'The licence URL with the token in its query; empty when not allowed.' }),
    error: z.int().meta({ description: '0 when there is none.' }),
    errorText: z.string(),
  })
  .meta({ description: 'The decision.' })

export type EntitlementRequest = z.output<typeof entitlementRequest>
export type EntitlementAnswer = z.output<typeof entitlementAnswer>

/** A request of which we can't know what it says, because its version is none that is spoken here. */
export interface UnknownVersion {
  readonly unknownVersion: number
  /** The viewer, if that field is still what it was. */
  readonly customerCookie?: string | undefined
}

const compiledRequest = compiledOnUse(() => entitlementRequest)

/** Of several faults the first, in the order of the schema. */
export function readEntitlementRequest(body: unknown): EntitlementRequest | UnknownVersion {
  const { version, customerCookie: cookie } = fieldsOf(body)
  if (typeof version === 'number' && Number.isSafeInteger(version) && version !== VERSION)
    return { unknownVersion: version, customerCookie: customerCookie.safeParse(cookie).data }
  const parsed = compiledRequest().safeParse(body)
  if (parsed.success) return parsed.data
  const [fault] = jsonFaults(parsed.error)
  const details = `${fault?.field || 'the body'} ${fault?.message ?? 'is wrong'}`
  throw new EntitlementRefusal('field', { details })
}

/** What of a request is repeated in the answer, even where the rest of it is wrong. */
export function echoOf(body: unknown): Pick<EntitlementAnswer, 'messageID' | 'version'> {
  const { messageID, version } = fieldsOf(body)
  return {
    messageID: typeof messageID === 'string' ? messageID.slice(0, LONGEST_ECHO) : '',
    version: typeof version === 'number' ? notAbove(version) : VERSION,
  }
}

function fieldsOf(body: unknown): { readonly [name in keyof EntitlementRequest]?: unknown } {
  return typeof body === 'object' && body !== null ? body : {}
}

const LONGEST_ECHO = 64

/** As far as an integer can be. */
function notAbove(version: number): number {
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(VERSION, Math.floor(version)))
}
