import { createCipheriv, createDecipheriv, createHash, createSecretKey, type KeyObject } from 'node:crypto'
import type { Randomness } from '../randomness.js'

/**
 * Seals and opens the outer layout of a token (spec: playready-token.md, the token):
 *
 *     0      version
 *     1-4    customer number, big-endian
 *     5-7    key number
 *     8-11   length of the sealed part
 *     12-    the sealed part: the token's id, which is the nonce, and the ciphertext
 *     last   the authentication tag, 16 bytes
 *
 * AES-256-GCM; the first twelve bytes are authenticated with the rest.
 */
export class TokenVault {
  readonly #keys: readonly TokenKey[]
  readonly #random: Randomness

  /** The first key seals, all of them open. */
  constructor(secrets: readonly [Buffer, ...Buffer[]], random: Randomness) {
    this.#keys = secrets.map(secret => ({ number: keyNumber(secret), key: createSecretKey(secret) }))
    this.#random = random
  }

  seal(customerId: number, content: Buffer): SealedToken {
    const { number, key } = this.#sealingKey()
    const nonce = this.#random(NONCE)
    const token = Buffer.allocUnsafe(HEADER + NONCE + content.length + TAG)
    token[0] = VERSION
    token.writeUInt32BE(customerId, 1)
    token.writeUIntBE(number, 5, 3)
    token.writeUInt32BE(NONCE + content.length, 8)
    token.set(nonce, HEADER)
    const cipher = createCipheriv('aes-256-gcm', key, nonce)
    cipher.setAAD(token.subarray(0, HEADER))
    token.set(cipher.update(content), HEADER + NONCE)
    cipher.final()
    token.set(cipher.getAuthTag(), token.length - TAG)
    return { id: nonce.toString('hex'), token: token.toString('base64url') }
  }

  /** `undefined` for everything that this vault did not seal exactly so. */
  open(text: string): OpenedToken | undefined {
    const token = Buffer.from(text, 'base64url')
    // Buffer forgives padding, other alphabets and stray bits in the last character; a token has one spelling only.
    if (token.length < HEADER + NONCE + TAG || token.toString('base64url') !== text) return undefined
    if (token[0] !== VERSION || token.readUInt32BE(8) !== token.length - HEADER - TAG) return undefined
    const number = token.readUIntBE(5, 3)
    for (const candidate of this.#keys) {
      const content = candidate.number === number ? decrypt(candidate.key, token) : undefined
      if (content !== undefined)
        return { customerId: token.readUInt32BE(1), id: token.toString('hex', HEADER, HEADER + NONCE), content }
    }
    return undefined
  }

  #sealingKey(): TokenKey {
    const [first] = this.#keys
    if (first === undefined) throw new Error('a vault needs a key')
    return first
  }
}

export interface SealedToken {
  readonly id: string
  readonly token: string
}

export interface OpenedToken {
  readonly id: string
  readonly customerId: number
  readonly content: Buffer
}

interface TokenKey {
  readonly number: number
  readonly key: KeyObject
}

const VERSION = 1
const HEADER = 12
const NONCE = 12
const TAG = 16

/** What a vault adds around its content, in bytes. */
export const VAULT_OVERHEAD = HEADER + NONCE + TAG

/** A key's number follows from the key, so that nobody has to hand out numbers when keys rotate. */
function keyNumber(secret: Buffer): number {
  return createHash('sha256').update('expressplay-token-backend key number').update(secret).digest().readUIntBE(0, 3)
}

function decrypt(key: KeyObject, token: Buffer): Buffer | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, token.subarray(HEADER, HEADER + NONCE), {
    authTagLength: TAG,
  })
  decipher.setAAD(token.subarray(0, HEADER))
  decipher.setAuthTag(token.subarray(token.length - TAG))
  try {
    return Buffer.concat([decipher.update(token.subarray(HEADER + NONCE, token.length - TAG)), decipher.final()])
  } catch {
    return undefined
  }
}
