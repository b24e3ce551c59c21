import { createHash } from 'node:crypto'
import sodium from 'sodium-native'
import type { TokenStyle } from '../ground/account-choices.js'
import type { Randomness } from '../ground/randomness.js'
import { idOf, LAYOUTS, styleOf, VERSION_2015, writeLayout, writeUuid } from './outer-layout.js'
import { type NumberedKey, TextSeal } from './text-seal.js'

/**
 * Seals and opens tokens in both styles (`outer-layout.ts`), with XChaCha20-Poly1305. The header is authenticated beside
 * the rest. The nonce is long enough for random nonces without a limit, so keys only rotate when the customer wants it.
 *
 *             2015                           2021
 *     nonce   first in the sealed part       20 bytes first in the sealed part, the last 4 end the tag
 *     id      the first 12 bytes of it       the UUID
 */
export class TokenVault {
  /** Seals other data with the same keys. */
  readonly texts: TextSeal
  #keys: readonly [NumberedKey, ...NumberedKey[]]
  readonly #random: Randomness
  readonly #frames: Record<TokenStyle, Frame> = { '2015': newFrame('2015', 0), '2021': newFrame('2021', 0) }

  /** The first key seals, all of them open. */
  constructor([first, ...others]: TokenKeys, random: Randomness) {
    this.#keys = [numbered(first), ...others.map(numbered)]
    this.#random = random
    this.texts = new TextSeal(this.#keys, random)
  }

  /** Tokens that other keys have sealed do not open any more. Texts keep their keys: what is stored stays readable. */
  replaceKeys([first, ...others]: TokenKeys): void {
    this.#keys = [numbered(first), ...others.map(numbered)]
  }

  seal({ customerId, style, version }: OuterForm, content: Buffer): SealedToken {
    // Nearly all tokens are of one length, so the frame of the last one mostly fits.
    if (this.#frames[style].content !== content.length) this.#frames[style] = newFrame(style, content.length)
    const { token, header, random, nonce, sealed } = this.#frames[style]
    const [{ number, secret }] = this.#keys
    if (style === '2021') header[0] = version
    header.writeUInt32BE(customerId, 1)
    header.writeUIntBE(number, 5, 3)
    this.#random(random)
    if (style === '2021') fill2021(token, random)
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, content, header, null, nonce, secret)
    const text = token.toString('base64url')
    return { id: idOf(token, style, text), token: text }
  }

  /** `undefined` for anything that this vault did not seal in exactly this form. */
  open(text: string): OpenedToken | undefined {
    const token = Buffer.from(text, 'base64url')
    // Buffer forgives padding, other alphabets and stray bits in the last character; a token has one spelling only.
    if (token.toString('base64url') !== text) return undefined
    const style = styleOf(token)
    if (style === undefined) return undefined
    const number = token.readUIntBE(5, 3)
    for (const candidate of this.#keys) {
      const content = candidate.number === number ? decrypt(candidate.secret, token, LAYOUTS[style]) : undefined
      if (content !== undefined)
        return { customerId: token.readUInt32BE(1), style, id: idOf(token, style, text), content }
    }
    return undefined
  }
}

/** Keys of 32 bytes: the first seals, all open. */
export type TokenKeys = readonly [Buffer, ...Buffer[]]

/** What a token shows on its outside. */
export interface OuterForm {
  readonly customerId: number
  readonly style: TokenStyle
  /** The first byte, in the style of 2021. */
  readonly version: number
}

export interface SealedToken {
  readonly id: string
  readonly token: string
}

export interface OpenedToken {
  readonly id: string
  readonly customerId: number
  readonly style: TokenStyle
  readonly content: Buffer
}

/** The bytes of one token, with views of its parts that are made once and used for many tokens. */
interface Frame {
  readonly content: number
  readonly token: Buffer
  readonly header: Buffer
  /** All random bytes of a token: its nonce, and in the style of 2021 then its UUID. */
  readonly random: Buffer
  readonly nonce: Buffer
  /** The ciphertext with its tag. */
  readonly sealed: Buffer
}

const NONCE = sodium.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
const TAG = sodium.crypto_aead_xchacha20poly1305_ietf_ABYTES
const UUID_BYTES = 16

function newFrame(style: TokenStyle, content: number): Frame {
  const layout = LAYOUTS[style]
  const token = Buffer.alloc(layout.header + NONCE + content + TAG)
  token[0] = VERSION_2015
  writeLayout(token, style)
  const { begin, end } = sealedPlace(token, layout)
  const random = style === '2015' ? token.subarray(layout.header, begin) : Buffer.alloc(NONCE + UUID_BYTES)
  return {
    content,
    token,
    header: token.subarray(0, layout.header),
    random,
    nonce: random.subarray(0, NONCE),
    sealed: token.subarray(begin, end),
  }
}

/** The bytes of the nonce that stand before the ciphertext; the others are last. */
const NONCE_BEFORE_2021 = NONCE - (LAYOUTS['2021'].tag - TAG)

/** Byte by byte: for a few bytes cheaper than a native copy. */
function fill2021(token: Buffer, random: Buffer): void {
  writeUuid(token, random, NONCE)
  const { header } = LAYOUTS['2021']
  for (let index = 0; index < NONCE_BEFORE_2021; index += 1) token[header + index] = random[index] ?? 0
  for (let index = NONCE_BEFORE_2021; index < NONCE; index += 1)
    token[token.length - NONCE + index] = random[index] ?? 0
}

/** Where the ciphertext with its tag of 16 bytes stands: as much of the nonce is behind it as the layout's tag is longer. */
function sealedPlace(token: Buffer, { header, tag }: { header: number; tag: number }) {
  const behind = tag - TAG
  return { begin: header + NONCE - behind, end: token.length - behind }
}

/** A key's number is derived from the key, so no numbers have to be assigned when keys rotate. */
function numbered(secret: Buffer): NumberedKey {
  const digest = createHash('sha256').update('expressplay-token-backend key number').update(secret).digest()
  return { number: digest.readUIntBE(0, 3), secret }
}

function decrypt(secret: Buffer, token: Buffer, layout: { header: number; tag: number }): Buffer | undefined {
  const { begin, end } = sealedPlace(token, layout)
  if (end - begin < TAG) return undefined
  const content = Buffer.alloc(end - begin - TAG)
  const header = token.subarray(0, layout.header)
  const nonce = Buffer.concat([token.subarray(layout.header, begin), token.subarray(end)])
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(content, null, token.subarray(begin, end), header, nonce, secret)
    return content
  } catch {
    // With all lengths right there is one reason left: it was not sealed with this key, or was changed.
    return undefined
  }
}
