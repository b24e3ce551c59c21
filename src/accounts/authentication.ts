import type { TokenFamily } from '../drm/family.js'
import { orUnavailable, TokenError } from '../errors/public-error.js'
import type { Environment } from '../ground/environment.js'
import { andThen, type MaybePromise } from '../ground/maybe-promise.js'
import type { Account } from '../store/account-records.js'

/** Looks accounts up. */
export interface Accounts {
  /** The account that this authenticator belongs to in this environment. */
  authenticate(authenticator: string, environment: Environment): MaybePromise<Account | undefined>
  /** The account with this id. */
  find(id: number): Promise<Account | undefined>
}

/** The account of the authenticator, or the documented error if it is not valid. */
export function requireAccount(
  accounts: Accounts,
  authenticator: string,
  environment: Environment,
): MaybePromise<Account> {
  const found = orUnavailable(accounts.authenticate(authenticator, environment))
  return andThen(found, account => required(account, environment))
}

function required(account: Account | undefined, environment: Environment): Account {
  if (account !== undefined) return account
  throw new TokenError({
    code: -2018,
    parameter: 'customerAuthenticator',
    details: `it is not valid in the ${environment} environment`,
  })
}

export function requireEnabled({ enabled }: Account): void {
  if (!enabled) throw new TokenError({ code: -2031 })
}

export function requireDrm({ drm }: Account, family: TokenFamily): void {
  const option = drm[family.drm]
  if (option === false) throw new TokenError(family.disabled)
  if (option === null) throw new TokenError(family.unauthorised ?? family.disabled)
}
