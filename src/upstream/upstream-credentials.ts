import type { AccountSeed } from '../../schemas/accounts-file.js'
import { TokenError } from '../errors/public-error.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'
import type { Logger } from '../ground/logger.js'

/**
 * The real service's API keys of our customers. They come from the accounts file at every start and stay in memory:
 * no database or backup contains them.
 */
export class UpstreamCredentials {
  readonly #byAccount: ReadonlyMap<number, NonNullable<AccountSeed['upstream']>>

  readonly #logger: Logger

  constructor(seeds: readonly AccountSeed[], logger: Logger) {
    this.#logger = logger
    this.#byAccount = new Map(seeds.flatMap(({ id, upstream }) => (upstream === undefined ? [] : [[id, upstream]])))
  }

  of(customerId: number, environment: Environment): string {
    const authenticator = this.#byAccount.get(customerId)?.[environment]
    if (authenticator !== undefined) return authenticator
    // The caller can't fix it, so the operator has to learn of it.
    this.#logger.error({ customerId, environment }, 'an account has no upstream authenticator in the accounts file')
    const details = `this account has no upstream authenticator for the ${environment} environment`
    throw new TokenError({ code: -2030, details })
  }
}

/** The accounts that cannot get tokens: each authenticator of this service needs an upstream key. */
export function missingCredentials(seeds: readonly AccountSeed[]): string[] {
  return seeds.flatMap(({ id, authenticators, upstream }) =>
    ENVIRONMENTS.filter(
      environment => (authenticators[environment] ?? []).length > 0 && upstream?.[environment] === undefined,
    ).map(environment => `account ${id} needs upstream.${environment}, because it has authenticators.${environment}`),
  )
}
