import type { Environment } from '../environment.js'

export interface KeyOwner {
  readonly customerId: number
  readonly environment: Environment
}

/** Keys that customers stored, each wrapped with a KEK that only the customer knows. */
export interface KeyStorage {
  /** The wrapped key of a KID in the owner's store. */
  findWrapped(owner: KeyOwner, kid: string): Promise<Buffer | undefined>
}

/** A storage in which nobody stored anything. */
export const emptyKeyStorage: KeyStorage = { findWrapped: async () => undefined }
