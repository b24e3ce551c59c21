import { stringify } from 'node:querystring'
import type { ParameterText } from '../../schemas/sorting.js'
import type { RemoteService } from '../connections/remote-service.js'
import { RequestFailure } from '../connections/request-failure.js'
import type { TokenFamily } from '../drm/family.js'
import type { Environment } from '../ground/environment.js'
import { packageVersion } from '../ground/own-package.js'

/** A token request to the real service. */
export interface UpstreamRequest {
  readonly environment: Environment
  readonly family: TokenFamily
  readonly customerId: number
  /** The real service's API key for this customer and environment. */
  readonly authenticator: string
  /** All other parameters, under their documented names. */
  readonly parameters: Readonly<Record<string, ParameterText>>
}

/** The raw answer, not validated. */
export interface UpstreamAnswer {
  readonly status: number
  readonly body: string
  /** Seconds after which the service allows a retry. */
  readonly retryAfter?: number | undefined
}

/** Sends a token request once, and never after `latestStart`. Both moments are in uptime. */
export type TokenExchange = (
  request: UpstreamRequest,
  deadline: number,
  latestStart: number,
) => Promise<UpstreamAnswer | RequestFailure>

/** A token and its URL have a few hundred bytes; anything larger is not an answer. */
export const MAX_TOKEN_ANSWER = 65_536

export function httpExchange(service: RemoteService): TokenExchange {
  const headers = [
    ...['accept', 'application/json'],
    ...['content-type', 'application/x-www-form-urlencoded'],
    ...['user-agent', `expressplay-token-backend/${packageVersion()}`],
  ]
  return async ({ family, authenticator, parameters }, deadline, latestStart) => {
    const body = `customerAuthenticator=${encodeURIComponent(authenticator)}&${stringify(parameters)}`
    const request = { method: 'POST', path: family.tokenPath, headers, body } as const
    const answer = await service.send(request, deadline, latestStart)
    if (answer instanceof RequestFailure) return answer
    return { status: answer.status, retryAfter: answer.retryAfter, body: answer.body.toString() }
  }
}
