import type { Logger } from 'pino'
import type { Pool } from 'undici'
import type { WebhookSettings } from '../../config/settings-entitlement.js'
import { exchange, type ReceivedAnswer } from '../../connections/exchange.js'
import { keptConnections } from '../../connections/kept-connections.js'
import { WaitingLine } from '../../connections/waiting-line.js'
import type { Now } from '../../ground/clock.js'
import { packageVersion } from '../../ground/version.js'
import { type WatchedFiles, watchFiles } from '../../ground/watched-files.js'
import { readAuthorities } from './authorities.js'
import { noAnswer, noTurn } from './failure.js'
import { SIGNATURE_HEADER, signatureOf } from './signature.js'

/** A decision has a few dozen bytes; with a content a few thousand. */
const LARGEST_ANSWER = 262_144
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
  readonly #line = new WaitingLine(CONNECTIONS, LONGEST_LINE, noTurn)
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
  async send(body: string): Promise<ReceivedAnswer> {
    const { timeout } = this.#parts.settings
    const deadline = performance.now() + timeout
    await this.#line.enter(timeout)
    try {
      const { settings, now } = this.#parts
      const signature = signatureOf(body, settings.secret, now())
      const headers = [...HEADERS, SIGNATURE_HEADER, signature]
      const left = Math.max(1, deadline - performance.now())
      const request = { path: settings.url.pathname, headers, body }
      return await exchange(this.#pool, request, { timeout: left, failure: noAnswer })
    } finally {
      this.#line.leave()
    }
  }

  /** For when nothing is under way. */
  async close(): Promise<void> {
    this.#watched?.close()
    await this.#pool.destroy()
  }

  #connectedPool(): Pool {
    const { url, timeout, caFile } = this.#parts.settings
    const ca = caFile === undefined ? undefined : readAuthorities(caFile)
    return keptConnections(url.origin, {
      connections: CONNECTIONS,
      connectTimeout: timeout,
      largestAnswer: LARGEST_ANSWER,
      // A session that is resumed shows no certificate.
      tls: { minVersion: 'TLSv1.2', maxCachedSessions: 0, ...(ca !== undefined && { ca }) },
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
