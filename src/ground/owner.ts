import type { Environment } from './environment.js'

/** Whose keys, events and contents they are: a customer has a service of its own in each environment. */
export interface Owner {
  readonly customerId: number
  readonly environment: Environment
}
