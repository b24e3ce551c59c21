import * as z from 'zod'
import { type Fault, firstFault } from '../src/errors/error-catalogue.js'
import { StatusError } from '../src/errors/public-error.js'
import { compiledOnUse } from './compiled.js'
import { customerCookie, guid, REQUEST_TYPES, type RequestType } from './entitlement.js'
import { faultsOf, rule } from './rules.js'
import type { RawParameters } from './sorting.js'

/** The name under which a token travels, in a query and as a header (spec: licence.md). */
export const TOKEN_NAME = 'ExpressPlayToken'

/** Its name in the query of an MS3 licence URL (spec: marlin.md). */
export const MS3_TOKEN_NAME = 'b'

/** The tokens in a licence URL of any DRM. */
export function tokensOfUrl({ searchParams }: URL): string[] {
  return [TOKEN_NAME, MS3_TOKEN_NAME].flatMap(name => searchParams.getAll(name))
}

/** In emulation a request may say which device it comes from. */
export const DEVICE_HEADER = 'x-device-id'

/** Several times what a token can have; reading more would be work for nothing. */
const MOST_ASKED = 64

/** Sixteen bytes in the order in which a KID is written, as players send them: mostly without padding. */
const askedKid = z
  .string(rule(-4022, 'a KID must be text'))
  .regex(/^[\w-]{22}(?:==)?$/, rule(-4022, 'a KID must be 16 bytes in base64url'))
  .transform(text => Buffer.from(text, 'base64url').toString('hex'))

const askedKids = z
  .array(z.unknown(), rule(-4018, 'kids must be an array'))
  .min(1, rule(-4018, 'kids is empty'))
  .max(MOST_ASKED, rule(-4022, `more than ${MOST_ASKED} KIDs`))
  .pipe(z.array(askedKid))

/** W3C's Clear Key licence request. */
export const clearKeyRequest = z
  .object(
    {
      kids: askedKids.meta({ description: 'The KIDs that are asked for: 16 bytes each, base64url.' }),
      type: z.enum(['temporary', 'persistent-license']).catch('temporary'),
    },
    rule(-4018, 'the body is no Clear Key licence request'),
  )
  .meta({ description: 'What a player asks for.' })

const compiledRequest = compiledOnUse(() => clearKeyRequest)

/** W3C's Clear Key licence: a JWK set. */
export const clearKeyLicence = z
  .object({
    keys: z.array(z.object({ kty: z.literal('oct'), kid: z.string(), k: z.string() })),
    type: z.enum(['temporary', 'persistent-license']),
  })
  .meta({ description: 'The keys, both parts in base64url without padding.' })

/** What stands in for a licence that only the DRM itself can make. */
export const standInLicence = z
  .object({
    emulated: z.literal(true),
    playable: z.literal(false),
    note: z.string(),
    tokenId: z.string(),
    expiresAt: z.iso.datetime().meta({ description: 'When the token expires.' }),
    licences: z
      .array(
        z.object({
          kid: z.string().optional().meta({ description: 'Left out where the key is for any KID.' }),
          algId: z.enum(['aesctr', 'aescbc']),
          policy: z.record(z.string(), z.union([z.string(), z.number(), z.array(z.string())])),
        }),
      )
      .meta({ description: 'The policy granted for each key, under the names of the token request.' }),
  })
  .meta({ description: 'A stand-in for a licence: it says what was granted, and no device can play with it.' })

export type ClearKeyRequest = z.output<typeof clearKeyRequest>
export type ClearKeyLicence = z.output<typeof clearKeyLicence>
export type StandInLicence = z.output<typeof standInLicence>

/** What a key request may say of its viewer, where an entitlement service is asked before a licence is granted. */
export const viewerParameters = {
  contentID: guid.meta({
    description:
      'The content that the entitlement service is asked about, a GUID. Where no such service is asked, nothing.',
    example: '3f2504e0-4f89-11d3-9a0c-0305e82c3301',
  }),
  customerCookie: customerCookie.meta({
    description: 'The viewer, up to 32 characters, where the request has no token: that has a cookie of its own.',
    example: 'viewer-4711',
  }),
  requestType: z.enum(['1', '3'], 'must be 1 or 3').meta({
    description: '1 time-based, 3 device-bound; without it, 1.',
    example: '3',
  }),
}

const viewerClaim = compiledOnUse(() => z.object(viewerParameters).partial())

export interface ViewerClaim {
  readonly contentID: string | undefined
  readonly customerCookie: string | undefined
  readonly requestType: RequestType
}

const NO_CLAIM: ViewerClaim = { contentID: undefined, customerCookie: undefined, requestType: REQUEST_TYPES.timeBased }

/** An empty value is none. What cannot be read refuses a request that needs it, and no other. */
export function readViewerClaim(query: RawParameters): ViewerClaim | StatusError {
  const given = Object.keys(viewerParameters).flatMap(name => (query[name] ? [[name, query[name]]] : []))
  if (given.length === 0) return NO_CLAIM
  const parsed = viewerClaim().safeParse(Object.fromEntries(given))
  if (parsed.success) {
    const { contentID, customerCookie, requestType } = parsed.data
    return {
      contentID,
      customerCookie,
      requestType: requestType === '3' ? REQUEST_TYPES.deviceBound : REQUEST_TYPES.timeBased,
    }
  }
  const [issue] = parsed.error.issues
  const name = String(issue?.path[0])
  return new StatusError(400, Array.isArray(query[name]) ? `${name} is given twice` : `${name} ${issue?.message}`, name)
}

/** The request in a body, or the documented fault that keeps it from being read. */
export function readClearKeyRequest(body: string): ClearKeyRequest | Fault {
  const parsed = compiledRequest().safeParse(json(body))
  if (parsed.success) return parsed.data
  const fault = firstFault(faultsOf(parsed.error))
  if (fault === undefined) throw new Error('refused without a fault')
  return { ...fault, parameter: 'kids' }
}

/** The device that a header names; what is no id is none. */
export function readDeviceId(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' && /^[0-9A-Fa-f]{32}$/.test(header) ? header.toLowerCase() : undefined
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
