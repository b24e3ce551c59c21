import { z } from 'zod'
import { type Fault, firstFault } from '../src/errors.js'
import { faultsOf, rule } from './rules.js'

/** The name under which a token travels, in a query and as a header (spec: licence.md). */
export const TOKEN_NAME = 'ExpressPlayToken'

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

const compiledRequest = z.compile(clearKeyRequest)

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
          kid: z.string(),
          algId: z.enum(['aesctr', 'aescbc']),
          policy: z.record(z.string(), z.union([z.string(), z.number()])),
        }),
      )
      .meta({ description: 'The policy granted for each key, under the names of the token request.' }),
  })
  .meta({ description: 'A stand-in for a licence: it says what was granted, and no device can play with it.' })

export type ClearKeyRequest = z.output<typeof clearKeyRequest>
export type ClearKeyLicence = z.output<typeof clearKeyLicence>
export type StandInLicence = z.output<typeof standInLicence>

/** The request in a body, or the documented fault that keeps it from being read. */
export function readClearKeyRequest(body: string): ClearKeyRequest | Fault {
  const parsed = compiledRequest.safeParse(json(body))
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
