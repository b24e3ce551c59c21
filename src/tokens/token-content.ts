import type { TokenPolicy } from '../../schemas/policy.js'
import type { Families } from '../drm/families.js'
import type { SealedFamily } from '../drm/family.js'
import type { Charge, TokenStyle } from '../ground/account-choices.js'
import { type Drm, NO_KID } from '../ground/drms.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import { ByteReader, type ByteWriter } from './bytes.js'
import type { OpenedToken, TokenVault } from './vault.js'

/** The content of a token: everything that the licence server needs to know. */
export interface TokenContent {
  readonly drm: Drm
  readonly environment: Environment
  /** Milliseconds since 1970, as all times here. */
  readonly issuedAt: number
  readonly expiresAt: number
  readonly deviceId?: string | undefined
  readonly ipAddress?: string | undefined
  readonly cookie?: string | undefined
  /** When it is paid for, whatever its account says by now; `issue` where it is left out. */
  readonly charge?: Charge | undefined
  /** Made by an emulator that was told so: its redemption finds the balance used up. */
  readonly isUnpayable?: boolean | undefined
  readonly keys: readonly TokenKey[]
}

export interface TokenKey {
  readonly kid: string
  readonly contentKey: string
  readonly algId: Algorithm
  readonly policy: TokenPolicy
}

const ALGORITHMS = ['aesctr', 'aescbc'] as const
type Algorithm = (typeof ALGORITHMS)[number]

const FORMAT = 1
/**
 * A real single-key token has a sealed part of at least 100 bytes in the style of 2015 and 96 in that of 2021, where it is
 * a multiple of 16. With the nonce, both are met by a content of 76 bytes and steps of 16; so the length reveals little about
 * the policy.
 */
const LEAST_CONTENT = 76
const CONTENT_STEP = 16

const DEVICE = 1
const ADDRESS = 2
const COOKIE = 4
/** The first redemption pays. */
const UNPAID = 8
/** The first redemption cannot pay. */
const UNPAYABLE = 16

/** Writes a content for its family; the result is good until the writer writes again. */
export function encodeContent(content: TokenContent, family: SealedFamily, out: ByteWriter): Buffer {
  out.begin()
  out.uint(FORMAT, 1)
  out.uint(family.number, 1)
  out.uint(ENVIRONMENTS.indexOf(content.environment), 1)
  out.uint(content.issuedAt, 6)
  out.uint(content.expiresAt, 6)
  const { deviceId, ipAddress, cookie } = content
  out.uint(
    (deviceId ? DEVICE : 0) | (ipAddress ? ADDRESS : 0) | (cookie === undefined ? 0 : COOKIE) | unpaid(content),
    1,
  )
  if (deviceId) out.hex(deviceId)
  if (ipAddress) out.text(ipAddress)
  if (cookie !== undefined) out.text(cookie)
  out.uint(content.keys.length, 1)
  for (const key of content.keys) {
    if (family.kid === 'optional') out.uint(key.kid === NO_KID ? 0 : 1, 1)
    if (key.kid !== NO_KID) out.hex(key.kid)
    out.hex(key.contentKey)
    out.uint(ALGORITHMS.indexOf(key.algId), 1)
    family.writePolicy(out, key.policy)
  }
  return out.finish(LEAST_CONTENT, CONTENT_STEP)
}

function unpaid({ charge, isUnpayable }: TokenContent): number {
  return (charge === 'redemption' ? UNPAID : 0) | (isUnpayable ? UNPAYABLE : 0)
}

/**
 * Reads what `encodeContent` wrote. Anything else, although it was sealed with our key, is a RangeError. The result is
 * written out: it is made for every redemption, and putting it together from others would take longer than reading it.
 */
function decodeContent({ id, customerId, style, content }: OpenedToken, families: Families): ReadToken {
  const from = new ByteReader(content)
  if (from.uint(1) !== FORMAT) throw new RangeError('unknown token format')
  const family = families.numbered(from.uint(1))
  if (family === undefined) throw new RangeError('a token for an unknown DRM')
  const environment = from.oneOf(ENVIRONMENTS)
  const issuedAt = from.uint(6)
  const expiresAt = from.uint(6)
  const present = from.uint(1)
  const deviceId = present & DEVICE ? from.hex(16) : undefined
  const ipAddress = present & ADDRESS ? from.text() : undefined
  const cookie = present & COOKIE ? from.text() : undefined
  const charge = present & UNPAID ? 'redemption' : 'issue'
  const isUnpayable = present & UNPAYABLE ? true : undefined
  const keys = Array.from({ length: from.uint(1) }, () => ({
    kid: family.kid === 'required' || from.uint(1) === 1 ? from.hex(16) : NO_KID,
    contentKey: from.hex(16),
    algId: from.oneOf(ALGORITHMS),
    policy: family.readPolicy(from),
  }))
  const { drm } = family
  return {
    id,
    customerId,
    style,
    drm,
    environment,
    issuedAt,
    expiresAt,
    deviceId,
    ipAddress,
    cookie,
    charge,
    isUnpayable,
    keys,
  }
}

/** A token of ours, opened. */
export interface ReadToken extends TokenContent {
  readonly id: string
  readonly customerId: number
  readonly style: TokenStyle
}

/** Opens and decodes a token; `undefined` if this vault did not seal it. */
export function openToken(vault: TokenVault, families: Families, token: string): ReadToken | undefined {
  const opened = vault.open(token)
  return opened && decodeContent(opened, families)
}
