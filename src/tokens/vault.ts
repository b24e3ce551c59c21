import { createHash } from 'node:crypto'
import sodium from 'sodium-native'
import type { Randomness } from '../ground/randomness.js'
import { type NumberedKey, TextSeal } from './text-seal.js'

/**
 * Seals and opens the outer layout of a token (spec: playready-token.md, the token):
 *
 *     0      version
 *     1-4    customer number, big-endian
 *     5-7    key number
 *     8-11   length of the sealed part
 *     12-    the sealed part: the nonce, whose beginning is the token's id, and the ciphertext
 *     last   the authentication tag, 16 bytes
 *
 * XChaCha20-Poly1305, with the first twelve bytes authenticated beside the rest. Its nonce is long enough for
 * random nonces without a limit, so keys only rotate when the customer wants it.
 */
export class TokenVault {
  /** Seals other data with the same keys. */
  readonly texts: TextSeal
  readonly #keys: readonly [NumberedKey, ...NumberedKey[]]
  readonly #random: Randomness
  #frame = newFrame(0)

  /** The first key seals, all of them open. */
  constructor([first, ...others]: TokenKeys, random: Randomness) {
    this.#keys = [numbered(first), ...others.map(numbered)]
    this.#random = random
    this.texts = new TextSeal(this.#keys, random)
  }

  seal(customerId: number, content: Buffer): SealedToken {
    // Nearly all tokens are of one length, so the frame of the last one mostly fits.
    if (this.#frame.content !== content.length) this.#frame = newFrame(content.length)
    const { token, header, nonce, sealed } = this.#frame
    const [{ number, secret }] = this.#keys
    header.writeUInt32BE(customerId, 1)
    header.writeUIntBE(number, 5, 3)
    this.#random(nonce)
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, content, header, null, nonce, secret)
    const text = token.toString('base64url')
    return { id: tokenIdOf(text), token: text }
  }

  /** `undefined` for anything that this vault did not seal in exactly this form. */
  open(text: string): OpenedToken | undefined {
    const token = Buffer.from(text, 'base64url')
    // Buffer forgives padding, other alphabets and stray bits in the last character; a token has one spelling only.
    if (token.length < VAULT_OVERHEAD || token.toString('base64url') !== text) return undefined
    if (token[0] !== VERSION || token.readUInt32BE(8) !== token.length - HEADER - TAG) return undefined
    const number = token.readUIntBE(5, 3)
    for (const candidate of this.#keys) {
      const content = candidate.number === number ? decrypt(candidate.secret, token) : undefined
      if (content !== undefined) return { customerId: token.readUInt32BE(1), id: tokenIdOf(text), content }
    }
    return undefined
  }
}

/** Keys of 32 bytes: the first seals, all open. */
export type TokenKeys = readonly [Buffer, ...Buffer[]]

export interface SealedToken {
  readonly id: string
  readonly token: string
}

export interface OpenedToken {
  readonly id: string
  readonly customerId: number
  readonly content: Buffer
}

/** The bytes of one token, with views of its parts that are made once and used for many tokens. */
interface Frame {
  readonly content: number
  readonly token: Buffer
  readonly header: Buffer
  readonly nonce: Buffer
  readonly sealed: Buffer
}

const VERSION = 1
const HEADER = 12
const NONCE = sodium.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
const TAG = sodium.crypto_aead_xchacha20poly1305_ietf_ABYTES

/** What a vault adds around its content, in bytes. */
export const VAULT_OVERHEAD = HEADER + NONCE + TAG

function newFrame(content: number): Frame {
  const token = Buffer.alloc(VAULT_OVERHEAD + content)
  token[0] = VERSION
  token.writeUInt32BE(NONCE + content, 8)
  const header = token.subarray(0, HEADER)
  const nonce = token.subarray(HEADER, HEADER + NONCE)
  return { content, token, header, nonce, sealed: token.subarray(HEADER + NONCE) }
}

/** Twelve bytes are sixteen characters: the ones of the header, and then the ones that are the id. */
export function tokenIdOf(text: string): string {
  return text.slice(16, 32)
}

/** A key's number is derived from the key, so no numbers have to be assigned when keys rotate. */
function numbered(secret: Buffer): NumberedKey {
  const digest = createHash('sha256').update('expressplay-token-backend key number').update(secret).digest()
  return { number: digest.readUIntBE(0, 3), secret }
}

function decrypt(secret: Buffer, token: Buffer): Buffer | undefined {
  const content = Buffer.alloc(token.length - VAULT_OVERHEAD)
  const header = token.subarray(0, HEADER)
  const nonce = token.subarray(HEADER, HEADER + NONCE)
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
      content,
      null,
      token.subarray(HEADER + NONCE),
      header,
      nonce,
      secret,
    )
    return content
  } catch {
    // With all lengths right there is one reason left: it was not sealed with this key, or was changed.
    return undefined
  }
}
