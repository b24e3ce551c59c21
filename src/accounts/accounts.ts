import type { Environment } from '../environment.js'

/** A customer of the service. */
export interface Account {
  readonly id: number
  readonly name: string
  readonly enabled: boolean
  readonly drm: { readonly playready: boolean }
}

/** The customers, whatever keeps them. */
export interface Accounts {
  /** The account that this authenticator belongs to in this environment. */
  authenticate(authenticator: string, environment: Environment): Promise<Account | undefined>
}
