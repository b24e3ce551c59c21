import { StatusError } from '../errors/public-error.js'
import { ENVIRONMENTS, type Environment } from '../ground/environment.js'

/** What a hidden licence URL says where its host would be taken for the other environment. */
export const ENVIRONMENT_NAME = 'environment'

/** Takes the environment out of a query, and leaves every other byte of it where it was. */
export function readEnvironment(query: string): {
  readonly environment: Environment | undefined
  readonly query: string
} {
  const parts = query.replace(/^\?/, '').split('&')
  const named = parts.filter(isEnvironment)
  if (named.length === 0) return { environment: undefined, query }
  const environment = ENVIRONMENTS.find(one => named.length === 1 && named[0] === `${ENVIRONMENT_NAME}=${one}`)
  if (environment === undefined) throw wrong()
  const others = parts.filter(part => !isEnvironment(part))
  return { environment, query: others.length === 0 ? '' : `?${others.join('&')}` }
}

export function namesEnvironment(query: string): boolean {
  return query.replace(/^\?/, '').split('&').some(isEnvironment)
}

function isEnvironment(part: string): boolean {
  return part.replace(/=.*$/s, '') === ENVIRONMENT_NAME
}

function wrong(): StatusError {
  const message = `Invalid environment: it is one of ${ENVIRONMENTS.join(', ')}`
  return new StatusError(400, message, ENVIRONMENT_NAME)
}
