import sodium from 'sodium-native'

/** Makes what is kept of an authenticator: a keyed hash (BLAKE2b), which tells nothing without the key. */
export function authenticatorHasher(key: Buffer): (authenticator: string) => Buffer {
  const padded = Buffer.alloc(LONGEST)
  return authenticator => {
    const hash = Buffer.allocUnsafe(32)
    padded.fill(0, padded.write(authenticator, 'latin1'))
    sodium.crypto_generichash(hash, padded, key)
    return hash
  }
}

/** Compares in the same time whether or not there is such an account. */
export function isSameHash(given: Buffer, kept: Buffer | undefined): boolean {
  const same = sodium.sodium_memcmp(given, kept ?? NO_HASH)
  return same && kept !== undefined
}

export function customerIdOf(authenticator: string): number {
  return Number(authenticator.slice(0, authenticator.indexOf(',')))
}

/** Ten digits, a comma and 32 hexadecimal digits. */
const LONGEST = 43
const NO_HASH = Buffer.alloc(32)
