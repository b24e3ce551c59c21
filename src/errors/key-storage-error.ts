import { PublicError } from './public-error.js'

/**
 * What a request to the key storage can fail of: SKM's code, and the status of the answer (spec: keystore.md).
 * Code 4, the kid exists already, is never answered: who posts such a kid gets the key that is stored.
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

/** A store that fails is a fault of ours, and it may be over in a moment. */
export async function orUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new KeyStorageError('unavailable', 'The key storage is unavailable', { cause })
  }
}
