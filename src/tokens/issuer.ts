import type { Restrictions } from '../../schemas/restrictions.js'
import type { Account } from '../accounts/accounts.js'
import type { Environment } from '../environment.js'
import type { Drm, TokenKey } from './content.js'

/** Everything that a token is made from, checked and resolved. */
export interface TokenOrder {
  readonly account: Account
  readonly environment: Environment
  readonly drm: Drm
  readonly keys: readonly TokenKey[]
  readonly restrictions: Restrictions
  readonly useHttps: boolean
  /** The host that the client addressed, as its Host header says. */
  readonly host: string
}

export interface IssuedToken {
  readonly id: string
  readonly token: string
  readonly licenseAcquisitionUrl: string
}

/** Makes tokens: by itself, or by asking a service that does. */
export interface TokenIssuer {
  issue(order: TokenOrder): Promise<IssuedToken>
}
