/** A customer has one authenticator for each; a token belongs to one (spec: README.md). */
export const ENVIRONMENTS = ['test', 'production'] as const
export type Environment = (typeof ENVIRONMENTS)[number]

/** `*.test.*` is test and `*.service.*` is production, as with the real hosts; any other host is what is configured. */
export function environmentOfHost(host: string, otherwise: Environment): Environment {
  const name = host.toLowerCase()
  if (name.includes('.test.')) return 'test'
  if (name.includes('.service.')) return 'production'
  return otherwise
}
