import sodium from 'sodium-native'
import type { Randomness } from '../ground/randomness.js'

export interface NumberedKey {
  readonly number: number
  readonly secret: Buffer
}

/**
 * Seals texts that are stored in the database, with the keys of the tokens:
 *
 *     0-2    key number
 *     3-26   nonce
 *     27-    ciphertext
 *     last   the authentication tag, 16 bytes
 *
 * The place that a text belongs to is authenticated beside it: moved to another place it does not open, nor as a token.
 */
export class TextSeal {
  /** What it seals begins so, and what another key has sealed does not. */
  readonly mark: string
  readonly #keys: readonly [NumberedKey, ...NumberedKey[]]
  readonly #random: Randomness

  /** The first key seals, all of them open. */
  constructor(keys: readonly [NumberedKey, ...NumberedKey[]], random: Randomness) {
    const number = Buffer.alloc(NUMBER)
    number.writeUIntBE(keys[0].number, 0, NUMBER)
    // Three bytes fill four characters.
    this.mark = number.toString('base64url')
    this.#keys = keys
    this.#random = random
  }

  seal(place: string, text: string): string {
    const [{ number, secret }] = this.#keys
    const content = Buffer.from(text)
    const sealed = Buffer.alloc(NUMBER + NONCE + content.length + TAG)
    sealed.writeUIntBE(number, 0, NUMBER)
    const nonce = sealed.subarray(NUMBER, NUMBER + NONCE)
    this.#random(nonce)
    const ciphertext = sealed.subarray(NUMBER + NONCE)
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(ciphertext, content, beside(place), null, nonce, secret)
    return sealed.toString('base64url')
  }

  /** `undefined` for everything that was not sealed so, for this place. */
  open(place: string, text: string): string | undefined {
    const sealed = Buffer.from(text, 'base64url')
    if (sealed.length < NUMBER + NONCE + TAG) return undefined
    const number = sealed.readUIntBE(0, NUMBER)
    for (const key of this.#keys) {
      const content = key.number === number ? decrypt(key.secret, place, sealed) : undefined
      if (content !== undefined) return content.toString()
    }
    return undefined
  }
}

const NUMBER = 3
const NONCE = sodium.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
const TAG = sodium.crypto_aead_xchacha20poly1305_ietf_ABYTES

/** A token's header begins with its version, 1, and so never like this. */
function beside(place: string): Buffer {
  return Buffer.from(`text ${place}`)
}

function decrypt(secret: Buffer, place: string, sealed: Buffer): Buffer | undefined {
  const content = Buffer.alloc(sealed.length - NUMBER - NONCE - TAG)
  const nonce = sealed.subarray(NUMBER, NUMBER + NONCE)
  const ciphertext = sealed.subarray(NUMBER + NONCE)
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(content, null, ciphertext, beside(place), nonce, secret)
    return content
  } catch {
    return undefined
  }
}
