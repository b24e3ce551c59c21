import { stringify } from 'node:querystring'
import type { ParameterText } from '../../schemas/sorting.js'
import type { RemoteService } from '../connections/remote-service.js'
import { RequestFailure } from '../connections/request-failure.js'
import type { Environment } from '../ground/environment.js'
import { packageVersion } from '../ground/own-package.js'

/** A token request as the real service gets it. */
export interface UpstreamRequest {
  readonly environment: Environment
  readonly customerId: number
  /** The real service's API key of this customer and environment. */
  readonly authenticator: string
  /** Everything else, by the documented names. */
  readonly parameters: Readonly<Record<string, ParameterText>>
}

/** What came back, whatever it is worth. */
export interface UpstreamAnswer {
  readonly status: number
  readonly body: string
  /** Seconds after which it wants to be asked again. */
  readonly retryAfter?: number | undefined
}

/** Sends a token request once. After `latestStart` it must not be sent any more; both are moments of the uptime. */
export type TokenExchange = (
  request: UpstreamRequest,
  deadline: number,
  latestStart: number,
) => Promise<UpstreamAnswer | RequestFailure>

/** A token and its URL have a few hundred bytes; what is larger is not an answer. */
export const LARGEST_TOKEN_ANSWER = 65_536
const PATH = '/hms/pr/token'

export function httpExchange(service: RemoteService): TokenExchange {
  const headers = [
    ...['accept', 'application/json'],
    ...['content-type', 'application/x-www-form-urlencoded'],
    ...['user-agent', `expressplay-token-backend/${packageVersion()}`],
  ]
  return async ({ authenticator, parameters }, deadline, latestStart) => {
    const body = stringify({ customerAuthenticator: authenticator, ...parameters })
    const answer = await service.send({ method: 'POST', path: PATH, headers, body }, deadline, latestStart)
    if (answer instanceof RequestFailure) return answer
    return { status: answer.status, retryAfter: answer.retryAfter, body: answer.body.toString() }
  }
}
