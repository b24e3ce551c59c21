import type { Environment } from '../ground/environment.js'
import type { Account } from '../store/account-records.js'

/** The customers, whatever keeps them. */
export interface Accounts {
  /** The account that this authenticator belongs to in this environment. */
  authenticate(authenticator: string, environment: Environment): Promise<Account | undefined>
  /** The account with this id. */
  find(id: number): Promise<Account | undefined>
}
