import sodium from 'sodium-native'
import type { AccountSeed, SeededAuthenticator } from '../../schemas/accounts-file.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'
import type { AccountRepository, StoredAuthenticators } from '../store/account-repository.js'

/**
 * Hashes an authenticator for storage: BLAKE2b with the database's salt. The 128 random bits of an
 * authenticator are what protects it; the salt keeps the hashes of two databases from being compared.
 */
export function authenticatorHasher(salt: Buffer): (authenticator: string) => Buffer {
  const padded = Buffer.alloc(LONGEST)
  return authenticator => {
    const hash = Buffer.allocUnsafe(32)
    padded.fill(0, padded.write(authenticator, 'latin1'))
    sodium.crypto_generichash(hash, padded, salt)
    return hash
  }
}

/** With the salt of this database. */
export async function hasherOf(repository: AccountRepository, random: Randomness) {
  return authenticatorHasher(await saltOf(repository, random))
}

/** It is made when the database is new. */
export async function saltOf(repository: AccountRepository, random: Randomness): Promise<Buffer> {
  return Buffer.from(await repository.salt(() => randomBytes(random, 32).toString('hex')), 'hex')
}

/** The authenticators of a seed as they are stored. */
export function storedAuthenticators(
  { authenticators: { test, production } }: AccountSeed,
  { hash, createdAt }: { readonly hash: (authenticator: string) => Buffer; readonly createdAt: number },
): StoredAuthenticators {
  const stored = (given: readonly SeededAuthenticator[] = []) =>
    given.map(({ authenticator, ...one }) => ({ ...one, hash: hash(authenticator).toString('hex'), createdAt }))
  return { test: stored(test), production: stored(production) }
}

export function newAuthenticator(customerId: number, random: Randomness): string {
  return `${customerId},${randomBytes(random, 16).toString('hex')}`
}

export function isSameHash(given: Buffer, stored: Buffer): boolean {
  return sodium.sodium_memcmp(given, stored)
}

export function customerIdOf(authenticator: string): number {
  return Number(authenticator.slice(0, authenticator.indexOf(',')))
}

/** Ten digits, a comma and 32 hexadecimal digits. */
const LONGEST = 43
