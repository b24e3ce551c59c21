import { stringify } from 'node:querystring'
import { errors, type Pool } from 'undici'
import { errorWord, isUnaskedContinue } from '../connections/error-word.js'
import { exchange, type LostExchange } from '../connections/exchange.js'
import { keptConnections } from '../connections/kept-connections.js'
import { packageVersion } from '../ground/version.js'
import type { Exchange, UpstreamAnswer, UpstreamRequest } from './exchange.js'
import { type FailureKind, UpstreamFailure } from './failure.js'

/** A token and its URL have a few hundred bytes; what is larger is no answer. */
const LARGEST_ANSWER = 65_536
const PATH = '/hms/pr/token'

export interface HttpExchangeParts {
  /** The token host, and what stands before the path there. */
  readonly url: URL
  readonly connections: number
  readonly connectTimeout: number
}

/** Sends token requests to one host, each exactly once. */
export class HttpExchange implements Exchange {
  readonly #parts: HttpExchangeParts
  #pool: Pool
  readonly #path: string
  readonly #headers = [
    ...['accept', 'application/json'],
    ...['content-type', 'application/x-www-form-urlencoded'],
    ...['user-agent', `expressplay-token-backend/${packageVersion()}`],
  ]

  constructor(parts: HttpExchangeParts) {
    this.#parts = parts
    this.#path = parts.url.pathname.replace(/\/+$/, '') + PATH
    this.#pool = this.#connectedPool()
  }

  async send({ authenticator, parameters }: UpstreamRequest, timeout: number, last?: number): Promise<UpstreamAnswer> {
    const form = stringify({ customerAuthenticator: authenticator, ...parameters })
    const request = { path: this.#path, headers: this.#headers, body: form }
    const terms = { timeout, failure, ...(last !== undefined && { last }) }
    const { status, retryAfter, body } = await exchange(this.#pool, request, terms)
    return { status, retryAfter, body: body.toString() }
  }

  reconnect(): void {
    const former = this.#pool
    this.#pool = this.#connectedPool()
    void former.close()
  }

  /** For when nothing is under way. */
  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  #connectedPool(): Pool {
    const { url, connections, connectTimeout } = this.#parts
    return keptConnections(url.origin, { connections, connectTimeout, largestAnswer: LARGEST_ANSWER })
  }
}

function failure({ error, mayHaveArrived }: LostExchange): UpstreamFailure {
  if (error === undefined) return new UpstreamFailure(mayHaveArrived ? 'timed out' : 'not reached in time')
  if (isUnaskedContinue(error)) return new UpstreamFailure('no answer', { reason: 'HTTP_100' })
  const reason = errorWord(error)
  return new UpstreamFailure(mayHaveArrived ? afterIt(error, reason) : beforeIt(reason), { reason })
}

/** What failed before the first byte of the request was written. */
function beforeIt(reason: string): FailureKind {
  return reason === 'UND_ERR_CONNECT_TIMEOUT' || reason === 'ETIMEDOUT' ? 'not reached in time' : 'not reached'
}

/** What failed after it. */
function afterIt(error: Error, reason: string): FailureKind {
  if (reason === 'UND_ERR_RES_EXCEEDED_MAX_SIZE' || reason === 'UND_ERR_HEADERS_OVERFLOW') return 'too large'
  return error instanceof errors.HTTPParserError ? 'no answer' : 'connection lost'
}
