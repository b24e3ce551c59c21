import type { ParameterText } from '../../schemas/sorting.js'
import type { Environment } from '../ground/environment.js'

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

/** A way to the real service's token endpoint. A request that is not answered is an UpstreamFailure. */
export interface Exchange {
  /**
   * `timeout` is what is left of the request's time, in milliseconds; `last` is the moment, by `performance.now`, after
   * which it must not be sent any more.
   */
  send(request: UpstreamRequest, timeout: number, last?: number): Promise<UpstreamAnswer>
  /** Closes the connections as soon as nothing is asked on them: one of them has said what is another request's. */
  reconnect?(): void
  close(): Promise<void>
}
