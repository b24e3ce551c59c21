import { TOKEN_STYLES, type TokenStyle } from '../ground/account-choices.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'

/**
 * The outer layouts; numbers are big-endian:
 *
 *             2015                              2021
 *     0       version, 1                        version: the DRM's
 *     1-4     customer number                   customer number
 *     5-7     key number                        key number
 *     8-9     }                                 length of the UUID, 36
 *     10-45   } 8-11: length of the             UUID
 *     46-49   } sealed part                     length of the sealed part
 *     then    the sealed part                   the sealed part
 *     last    16 bytes: the tag                 20 bytes: the tag
 */
export const LAYOUTS: Readonly<Record<TokenStyle, Layout>> = {
  '2015': { header: 12, tag: 16 },
  '2021': { header: 50, tag: 20 },
}

/** How many bytes are around the sealed part. */
interface Layout {
  readonly header: number
  readonly tag: number
}

export const VERSION_2015 = 1
/** Marlin's, FairPlay's, Widevine's and PlayReady's. */
const [FIRST_VERSION_2021, LAST_VERSION_2021] = [5, 8]
const UUID_PLACE = 10
const UUID_LENGTH = 36
const UUID = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i

/** The style whose layout these bytes have: `undefined` if they have none of both. */
export function styleOf(token: Buffer): TokenStyle | undefined {
  return TOKEN_STYLES.find(style => sealedLengthOf(token, style) === lengthBetween(token, LAYOUTS[style]))
}

/** Writes what is the same in all tokens of a style that have this sealed part. */
export function writeLayout(token: Buffer, style: TokenStyle): void {
  const layout = LAYOUTS[style]
  token.writeUInt32BE(lengthBetween(token, layout), layout.header - 4)
  if (style === '2015') return
  token.writeUInt16BE(UUID_LENGTH, UUID_PLACE - 2)
  token.fill('-', UUID_PLACE, UUID_PLACE + UUID_LENGTH)
}

const DIGITS = Buffer.from('0123456789abcdef')

/** Makes a version 4 UUID of the 16 random bytes from `at` on, between the dashes that `writeLayout` has left. */
export function writeUuid(token: Buffer, random: Uint8Array, at: number): void {
  let place = UUID_PLACE
  for (let index = 0; index < 16; index += 1) {
    let byte = random[at + index] ?? 0
    if (index === 6) byte = (byte & 0x0f) | 0x40
    if (index === 8) byte = (byte & 0x3f) | 0x80
    if (index === 4 || index === 6 || index === 8 || index === 10) place += 1
    token[place] = DIGITS[byte >> 4] ?? 0
    token[place + 1] = DIGITS[byte & 15] ?? 0
    place += 2
  }
}

/** The header of a token of 2021, with a random UUID instead of its own. */
export function headerWithOtherUuid(token: Buffer, random: Randomness): Buffer | undefined {
  if (styleOf(token) !== '2021') return undefined
  const header = Buffer.from(token.subarray(0, LAYOUTS['2021'].header))
  header.fill('-', UUID_PLACE, UUID_PLACE + UUID_LENGTH)
  writeUuid(header, randomBytes(random, 16), 0)
  return header
}

function uuidOf(token: Buffer): string {
  return token.toString('latin1', UUID_PLACE, UUID_PLACE + UUID_LENGTH)
}

/** What the log calls a token of any service. */
export function tokenIdOf(text: string): string {
  const token = bytesOf(text)
  return idOf(token, styleOf(token), text)
}

/** The UUID; without one the characters behind those of the header of 2015: twelve bytes are sixteen characters. */
export function idOf(token: Buffer, style: TokenStyle | undefined, text: string): string {
  return style === '2021' ? uuidOf(token) : text.slice(16, 32)
}

/** The customer's number in a token of any service, if its layout is a known one. */
export function customerOfToken(text: string): number | undefined {
  const token = bytesOf(text)
  return styleOf(token) === undefined ? undefined : token.readUInt32BE(1)
}

/** Accepts both alphabets. */
function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'base64')
}

/** As the header says; `undefined` where it is no header of this style. */
function sealedLengthOf(token: Buffer, style: TokenStyle): number | undefined {
  const { header, tag } = LAYOUTS[style]
  if (token.length <= header + tag || !(style === '2015' ? isHeader2015(token) : isHeader2021(token))) return undefined
  return token.readUInt32BE(header - 4)
}

function isHeader2015(token: Buffer): boolean {
  return token[0] === VERSION_2015
}

function isHeader2021(token: Buffer): boolean {
  const [version = 0] = token
  if (version < FIRST_VERSION_2021 || version > LAST_VERSION_2021) return false
  return token.readUInt16BE(UUID_PLACE - 2) === UUID_LENGTH && UUID.test(uuidOf(token))
}

function lengthBetween(token: Buffer, { header, tag }: Layout): number {
  return token.length - header - tag
}
