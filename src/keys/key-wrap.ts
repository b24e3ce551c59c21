import { createCipheriv, createDecipheriv } from 'node:crypto'

const CIPHER = 'id-aes128-wrap'
const INITIAL_VALUE = Buffer.alloc(8, 0xa6)

/** AES Key Wrap (RFC 3394) with a 16-byte key-encryption key: what comes out is 8 bytes longer than the key. */
export function wrapKey(kek: Uint8Array, key: Uint8Array): Buffer {
  const cipher = createCipheriv(CIPHER, kek, INITIAL_VALUE)
  return Buffer.concat([cipher.update(key), cipher.final()])
}

/**
 * Undoes `wrapKey`.
 * `undefined` when the integrity check fails: the wrong KEK, or a wrapped key that was changed.
 */
export function unwrapKey(kek: Uint8Array, wrapped: Uint8Array): Buffer | undefined {
  try {
    const decipher = createDecipheriv(CIPHER, kek, INITIAL_VALUE)
    return Buffer.concat([decipher.update(wrapped), decipher.final()])
  } catch {
    // The library's text is misleading and carries no code; with lengths checked before, a wrong key is the only cause.
    return undefined
  }
}
