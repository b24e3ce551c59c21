import type { AccountSeed } from '../../schemas/accounts-file.js'
import type { Now } from '../../schemas/rules.js'
import { ENVIRONMENTS, type Environment } from '../environment.js'
import type { AccountRepository } from '../store/accounts.js'

/** What an administrator does with accounts. */
export class AccountAdministration {
  readonly #parts: AdministrationParts

  constructor(parts: AdministrationParts) {
    this.#parts = parts
  }

  /** Adds an account; `false`, and nothing is changed, when there is one with this id. */
  async add(seed: AccountSeed): Promise<boolean> {
    const { repository, hash, now } = this.#parts
    const hashes = new Map<Environment, string>()
    for (const environment of ENVIRONMENTS) {
      const authenticator = seed.authenticators[environment]
      if (authenticator !== undefined) hashes.set(environment, hash(authenticator).toString('hex'))
    }
    const isAdded = await repository.add(seed, hashes, now())
    this.#parts.changed()
    return isAdded
  }
}

export interface AdministrationParts {
  readonly repository: AccountRepository
  readonly hash: (authenticator: string) => Buffer
  readonly now: Now
  /** Called after every change, for those who remember accounts. */
  readonly changed: () => void
}
