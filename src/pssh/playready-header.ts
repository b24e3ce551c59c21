import { createCipheriv } from 'node:crypto'
import { guidOf } from './kid-forms.js'
import { xmlText } from './xml-text.js'

/** How content is encrypted: AES in counter mode, or in CBC mode with a pattern. */
export type Scheme = 'cenc' | 'cbcs'

export interface ProtectedKey {
  /** 32 hex digits. */
  readonly kid: string
  /** For the checksum, with which a client finds out that it got another key. */
  readonly contentKey?: Buffer | undefined
}

export interface HeaderContent {
  readonly scheme: Scheme
  readonly keys: readonly ProtectedKey[]
  /** Where a client asks for the licence when its application says nothing else. */
  readonly licenceUrl?: string | undefined
}

export interface PlayreadyHeader {
  readonly version: '4.0.0.0' | '4.2.0.0' | '4.3.0.0'
  readonly xml: string
}

/**
 * The header in the oldest version that can say it, because older clients read no newer one: 4.0 has one KID, 4.2
 * several, and 4.3 knows cbcs (PlayReady Header Specification, 3).
 */
export function playreadyHeader({ scheme, keys, licenceUrl }: HeaderContent): PlayreadyHeader {
  const [first, ...others] = keys
  if (first === undefined) throw new RangeError('a header needs a key')
  const url = licenceUrl === undefined ? '' : `<LA_URL>${xmlText(licenceUrl)}</LA_URL>`
  if (scheme === 'cbcs') return header('4.3.0.0', keyList('AESCBC', keys) + url)
  if (others.length > 0) return header('4.2.0.0', keyList('AESCTR', keys) + url)
  return header('4.0.0.0', onlyKey(first) + url)
}

function header(version: PlayreadyHeader['version'], data: string): PlayreadyHeader {
  const namespace = 'http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader'
  return { version, xml: `<WRMHEADER xmlns="${namespace}" version="${version}"><DATA>${data}</DATA></WRMHEADER>` }
}

function onlyKey({ kid, contentKey }: ProtectedKey): string {
  const checksum = contentKey === undefined ? '' : `<CHECKSUM>${checksumOf(kid, contentKey)}</CHECKSUM>`
  return `<PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO><KID>${base64Guid(kid)}</KID>${checksum}`
}

/** Clients insist on the attributes' alphabetical order and on closing tags. */
function keyList(algorithm: 'AESCTR' | 'AESCBC', keys: readonly ProtectedKey[]): string {
  const elements = keys.map(({ kid, contentKey }) => {
    // The checksum is defined for counter mode only.
    const hasChecksum = algorithm === 'AESCTR' && contentKey !== undefined
    const checksum = hasChecksum ? ` CHECKSUM="${checksumOf(kid, contentKey)}"` : ''
    return `<KID ALGID="${algorithm}"${checksum} VALUE="${base64Guid(kid)}"></KID>`
  })
  return `<PROTECTINFO><KIDS>${elements.join('')}</KIDS></PROTECTINFO>`
}

function base64Guid(kid: string): string {
  return guidOf(kid).toString('base64')
}

/** The GUID encrypted with its content key, the first eight bytes of it. */
function checksumOf(kid: string, contentKey: Buffer): string {
  // One block, and nothing that is secret in it.
  const cipher = createCipheriv('aes-128-ecb', contentKey, null)
  return cipher.update(guidOf(kid)).subarray(0, 8).toString('base64')
}

const RIGHTS_MANAGEMENT_HEADER = 1

/** The PlayReady Object with a header as its only record; all numbers are little-endian (PlayReady Header Specification, 2). */
export function playreadyObject(header: string): Buffer {
  const record = Buffer.from(header, 'utf16le')
  const start = Buffer.alloc(10)
  start.writeUInt32LE(start.length + record.length, 0)
  start.writeUInt16LE(1, 4) // records
  start.writeUInt16LE(RIGHTS_MANAGEMENT_HEADER, 6)
  start.writeUInt16LE(record.length, 8)
  return Buffer.concat([start, record])
}
