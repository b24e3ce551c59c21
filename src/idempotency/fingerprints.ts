import sodium from 'sodium-native'
import type { SortedParameters } from '../../schemas/sorting.js'
import type { Drm } from '../ground/drms.js'

/** Keys and requests are stored as hashes (BLAKE2b) with the database's salt. */
export class Fingerprints {
  readonly #salt: Buffer

  constructor(salt: Buffer) {
    this.#salt = salt
  }

  ofKey(serviceId: number, key: string): string {
    return this.#hash(['idempotency key', serviceId, key])
  }

  /**
   * Of everything that a token is made from, independent of the order of parameters. A faulty request has a different hash
   * from its corrected form.
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

/** The caller, and the form of the answer: neither changes the token. An authenticator may be rotated between retries. */
const FORM: ReadonlySet<string> = new Set(['customerAuthenticator', 'errorFormat', 'playerConfig'])

function inOrder(entries: readonly (readonly [string, unknown])[]): string[] {
  return entries.map(entry => JSON.stringify(entry)).sort()
}
