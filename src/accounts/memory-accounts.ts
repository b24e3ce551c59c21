import type { AccountSeed } from '../../schemas/accounts-file.js'
import { ENVIRONMENTS, type Environment } from '../environment.js'
import { type Randomness, randomBytes } from '../randomness.js'
import type { Account, Accounts } from './accounts.js'
import { authenticatorHasher, customerIdOf, isSameHash } from './authenticators.js'

/** Accounts that live as long as the process. */
export class MemoryAccounts implements Accounts {
  readonly #rows = new Map<number, Row>()
  readonly #hash: (authenticator: string) => Buffer

  constructor(seeds: readonly AccountSeed[], random: Randomness) {
    this.#hash = authenticatorHasher(randomBytes(random, 32))
    for (const { authenticators, balance, ...account } of seeds) {
      const hashes = new Map<Environment, Buffer>()
      for (const environment of ENVIRONMENTS) {
        const authenticator = authenticators[environment]
        if (authenticator !== undefined) hashes.set(environment, this.#hash(authenticator))
      }
      this.#rows.set(account.id, { account, hashes, balance })
    }
  }

  async authenticate(authenticator: string, environment: Environment): Promise<Account | undefined> {
    const row = this.#rows.get(customerIdOf(authenticator))
    return isSameHash(this.#hash(authenticator), row?.hashes.get(environment)) ? row?.account : undefined
  }

  /** Takes one token from the balance, or tells that there is none. */
  takeToken(id: number): boolean {
    const row = this.#rows.get(id)
    if (row === undefined || row.balance === 0) return false
    row.balance -= 1
    return true
  }
}

interface Row {
  readonly account: Account
  readonly hashes: ReadonlyMap<Environment, Buffer>
  balance: number
}
