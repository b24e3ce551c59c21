import type { Logger } from 'pino'
import type { AccountSeed } from '../../schemas/accounts-file.js'
import { TokenError } from '../errors/public-error.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'

/**
 * The real service's API keys of our customers. They come from the accounts file at every start and are in memory
 * only: no database and no backup of one holds them.
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
    // The caller can't mend it, so who runs the service has to hear of it.
    this.#logger.error({ customerId, environment }, 'an account has no upstream authenticator in the accounts file')
    const details = `this account has no upstream authenticator for the ${environment} environment`
    throw new TokenError({ code: -2030, details })
  }
}

/** What keeps the accounts of a file from getting tokens: whoever may ask here needs a key there. */
export function missingCredentials(seeds: readonly AccountSeed[]): string[] {
  return seeds.flatMap(({ id, authenticators, upstream }) =>
    ENVIRONMENTS.filter(
      environment => authenticators[environment] !== undefined && upstream?.[environment] === undefined,
    ).map(environment => `account ${id} needs upstream.${environment}, because it has authenticators.${environment}`),
  )
}
