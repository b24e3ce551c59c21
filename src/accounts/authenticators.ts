import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'

/** What is kept of an authenticator: a hash that tells nothing without the key. */
export function authenticatorHash(key: KeyObject, authenticator: string): Buffer {
  return createHmac('sha256', key).update(authenticator).digest()
}

/** Compares in the same time whether or not there is such an account. */
export function isSameHash(given: Buffer, kept: Buffer | undefined): boolean {
  const same = timingSafeEqual(given, kept ?? NO_HASH)
  return same && kept !== undefined
}

export function customerIdOf(authenticator: string): number {
  return Number(authenticator.slice(0, authenticator.indexOf(',')))
}

const NO_HASH = Buffer.alloc(32)
