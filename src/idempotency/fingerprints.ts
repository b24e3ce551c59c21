import sodium from 'sodium-native'
import type { SortedParameters } from '../../schemas/sorting.js'
import type { Drm } from '../ground/drms.js'

/** What is kept of a key and of a request: hashes (BLAKE2b) with the database's salt. */
export class Fingerprints {
  readonly #salt: Buffer

  constructor(salt: Buffer) {
    this.#salt = salt
  }

  ofKey(serviceId: number, key: string): string {
    return this.#hash(['idempotency key', serviceId, key])
  }

  /**
   * Of all that a token is made from, in whatever order it came. A faulty request differs from the one that it may
   * have been meant to be.
   */
  ofRequest(drm: Drm, { whole, keys, ignored, faults }: SortedParameters): string {
    return this.#hash([
      `${drm} token request`,
      inOrder(Object.entries(whole).filter(([name]) => !FORM.has(name))),
      keys.map(({ suffix, values }) => [suffix, inOrder(Object.entries(values))]),
      inOrder([...ignored]),
      inOrder(faults.map(({ parameter = '', code, details = '' }) => [parameter, `${code} ${details}`])),
    ])
  }

  #hash(parts: readonly unknown[]): string {
    const hash = Buffer.allocUnsafe(32)
    sodium.crypto_generichash(hash, Buffer.from(JSON.stringify(parts)), this.#salt)
    return hash.toString('hex')
  }
}

/** Who asks, and the form of the answer: neither changes the token. An authenticator may be replaced meanwhile. */
const FORM: ReadonlySet<string> = new Set(['customerAuthenticator', 'errorFormat', 'playerConfig'])

function inOrder(entries: readonly (readonly [string, unknown])[]): string[] {
  return entries.map(entry => JSON.stringify(entry)).sort()
}
