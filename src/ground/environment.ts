/** A customer has one authenticator for each; a token belongs to one (spec: README.md). */
export const ENVIRONMENTS = ['test', 'production'] as const
export type Environment = (typeof ENVIRONMENTS)[number]

/** The owner of keys, events and contents: a customer in one environment. */
export interface Owner {
  readonly customerId: number
  readonly environment: Environment
}

/** How long an authenticator may stay valid after it has been replaced, at most: a year, in seconds. */
export const LONGEST_OVERLAP = 31_536_000
