import { createDecipheriv } from 'node:crypto'

const INITIAL_VALUE = Buffer.alloc(8, 0xa6)

/**
 * Undoes AES Key Wrap (RFC 3394) with a 16-byte key-encryption key.
 * `undefined` when the integrity check fails: the wrong KEK, or a wrapped key that was changed.
 */
export function unwrapKey(kek: Uint8Array, wrapped: Uint8Array): Buffer | undefined {
  try {
    const decipher = createDecipheriv('id-aes128-wrap', kek, INITIAL_VALUE)
    return Buffer.concat([decipher.update(wrapped), decipher.final()])
  } catch {
    // The library's text is misleading and carries no code; with lengths checked before, a wrong key is the only cause.
    return undefined
  }
}
