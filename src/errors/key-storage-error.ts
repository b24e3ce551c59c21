import { PublicError } from './public-error.js'

/**
 * Errors of the key storage: SKM's code, and the HTTP status (spec: keystore.md). Code 4, the kid exists already, is never
 * returned: posting such a kid returns the stored key.
 */
const kinds = {
  internal: { code: 1, status: 500 },
  unavailable: { code: 1, status: 503 },
  parameter: { code: 2, status: 400 },
  notFound: { code: 2, status: 404 },
  syntax: { code: 3, status: 400 },
  incorrectKek: { code: 5, status: 400 },
} as const

export class KeyStorageError extends PublicError {
  constructor(kind: keyof typeof kinds, message: string, options?: ErrorOptions) {
    super(message, { ...kinds[kind], cause: options?.cause })
  }
}

/** A failing store is answered with 503. */
export async function orStorageUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new KeyStorageError('unavailable', 'The key storage is unavailable', { cause })
  }
}
