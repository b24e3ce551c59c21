/** A customer has one authenticator for each; a token belongs to one (spec: README.md). */
export const ENVIRONMENTS = ['test', 'production'] as const
export type Environment = (typeof ENVIRONMENTS)[number]

/** Whose keys, events and contents they are: a customer has a service of its own in each environment. */
export interface Owner {
  readonly customerId: number
  readonly environment: Environment
}

/** How long an authenticator may stay valid after it has been replaced, at most: a year, in seconds. */
export const LONGEST_OVERLAP = 31_536_000
