/** A customer has one authenticator for each; a token belongs to one (spec: README.md). */
export const ENVIRONMENTS = ['test', 'production'] as const
export type Environment = (typeof ENVIRONMENTS)[number]
