import type { Logger } from 'pino'
import { Pool } from 'undici'
import type { Now } from '../../../schemas/rules.js'
import { UpstreamFailure } from '../../upstream/failure.js'
import { WaitingLine } from '../../upstream/waiting-line.js'
import { packageVersion } from '../../version.js'
import { type WatchedFiles, watchFiles } from '../../watched-files.js'
import type { WebhookSettings } from '../settings.js'
import { readAuthorities } from './authorities.js'
import { exchange, LARGEST_ANSWER, type WebhookResponse } from './exchange.js'
import { WebhookFailure } from './failure.js'
import { SIGNATURE_HEADER, signatureOf } from './signature.js'

const CONNECTIONS = 64
/** So many more wait for their turn. Who comes when all wait already would not get one in time. */
const LONGEST_LINE = 256

export interface WebhookEndpointParts {
  readonly settings: WebhookSettings
  readonly now: Now
  readonly logger: Logger
}

/** The customer's own endpoint, over connections that are kept. */
export class WebhookEndpoint {
  readonly #parts: WebhookEndpointParts
  readonly #line = new WaitingLine(CONNECTIONS, LONGEST_LINE)
  readonly #watched: WatchedFiles | undefined
  #pool: Pool
  #hasToldFault = false

  /** Throws a ConfigError where the file of its authorities has none. */
  constructor(parts: WebhookEndpointParts) {
    const { caFile } = parts.settings
    this.#parts = parts
    this.#pool = this.#connectedPool()
    if (caFile !== undefined) this.#watched = watchFiles([caFile], async () => this.#trustAnew())
  }

  /** Throws a WebhookFailure where there is no answer. */
  async send(body: string): Promise<WebhookResponse> {
    const { timeout } = this.#parts.settings
    const deadline = performance.now() + timeout
    await this.#turn(timeout)
    try {
      const { settings, now } = this.#parts
      const signature = signatureOf(body, settings.secret, now())
      const headers = [...HEADERS, SIGNATURE_HEADER, signature]
      const left = Math.max(1, deadline - performance.now())
      return await exchange(this.#pool, { path: settings.url.pathname, headers, body }, left)
    } finally {
      this.#line.leave()
    }
  }

  /** For when nothing is under way. */
  async close(): Promise<void> {
    this.#watched?.close()
    await this.#pool.destroy()
  }

  async #turn(timeout: number): Promise<void> {
    try {
      await this.#line.enter(timeout)
    } catch (failure) {
      const isFull = failure instanceof UpstreamFailure && failure.kind === 'queue full'
      throw new WebhookFailure(isFull ? 'too many questions' : 'timed out')
    }
  }

  #connectedPool(): Pool {
    const { url, timeout, caFile } = this.#parts.settings
    const ca = caFile === undefined ? undefined : readAuthorities(caFile)
    return new Pool(url.origin, {
      connections: CONNECTIONS,
      connectTimeout: timeout,
      connect: {
        // Else NODE_TLS_REJECT_UNAUTHORIZED could say otherwise.
        rejectUnauthorized: true,
        minVersion: 'TLSv1.2',
        // A session that is resumed shows no certificate.
        maxCachedSessions: 0,
        ...(ca !== undefined && { ca }),
      },
      pipelining: 1,
      allowH2: false,
      maxResponseSize: LARGEST_ANSWER,
      // A question has a time of its own, for all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  /** What is connected was trusted by the former authorities: it ends with what is under way on it. */
  #trustAnew(): 'done' | 'again' {
    const { logger } = this.#parts
    const former = this.#pool
    try {
      this.#pool = this.#connectedPool()
    } catch {
      // Once, although it is tried again and again.
      if (!this.#hasToldFault) logger.warn('the new authorities of the webhook cannot be read: the former ones hold')
      this.#hasToldFault = true
      return 'again'
    }
    this.#hasToldFault = false
    logger.info('the webhook has new authorities')
    void former.close()
    return 'done'
  }
}

const HEADERS = [
  ...['accept', 'application/json'],
  ...['content-type', 'application/json'],
  ...['user-agent', `expressplay-token-backend/${packageVersion()}`],
]
