import { createHmac, X509Certificate } from 'node:crypto'
import type { Logger } from 'pino'
import type { WebhookSettings } from '../../config/settings-entitlement.js'
import { RemoteService, type TlsOptions } from '../../connections/remote-service.js'
import type { RequestFailure } from '../../connections/request-failure.js'
import type { ReceivedAnswer } from '../../connections/sent-request.js'
import { ConfigError } from '../../errors/config-error.js'
import type { Clock } from '../../ground/clock.js'
import { LARGEST_PEM, readRegularFile } from '../../ground/files.js'
import { packageVersion } from '../../ground/own-package.js'
import { type WatchedFiles, watchFiles } from '../../ground/watched-files.js'

/** A decision has a few dozen bytes; with a content a few thousand. */
const LARGEST_ANSWER = 262_144
const CONNECTIONS = 64
/** A question that comes when so many wait would not get its turn in time. */
const LONGEST_QUEUE = 256
const SIGNATURE_HEADER = 'x-entitlement-signature'
const HEADERS = [
  ...['accept', 'application/json'],
  ...['content-type', 'application/json'],
  ...['user-agent', `expressplay-token-backend/${packageVersion()}`],
]

export interface WebhookEndpointParts {
  readonly settings: WebhookSettings
  readonly clock: Clock
  readonly logger: Logger
}

/** The customer's own endpoint: questions are signed, and its authorities are read again when their file changes. */
export class WebhookEndpoint {
  readonly #parts: WebhookEndpointParts
  readonly #service: RemoteService
  readonly #watched: WatchedFiles | undefined
  #isFaultLogged = false

  /** Throws a ConfigError where the file of its authorities has none. */
  constructor(parts: WebhookEndpointParts) {
    const { clock } = parts
    const { url, timeout, caFile } = parts.settings
    this.#parts = parts
    this.#service = new RemoteService({
      url: new URL(url.origin),
      connections: CONNECTIONS,
      queue: LONGEST_QUEUE,
      timeout,
      connectTimeout: timeout,
      largestAnswer: LARGEST_ANSWER,
      tls: tlsOf(caFile),
      clock,
    })
    if (caFile !== undefined) this.#watched = watchFiles([caFile], clock, async () => this.#renewAuthorities(caFile))
  }

  ask(question: string): Promise<ReceivedAnswer | RequestFailure> {
    const { settings, clock } = this.#parts
    const headers = [...HEADERS, SIGNATURE_HEADER, signatureOf(question, settings.secret, clock.now())]
    return this.#service.ask({ method: 'POST', path: settings.url.pathname, headers, body: question })
  }

  /** For when nothing is in flight. */
  async close(): Promise<void> {
    this.#watched?.close()
    await this.#service.close()
  }

  /** The connections of now were trusted by the former authorities: they end with what is in flight on them. */
  #renewAuthorities(caFile: string): 'done' | 'again' {
    const { logger } = this.#parts
    try {
      this.#service.reconnect(tlsOf(caFile))
    } catch {
      // Once, although it is tried again and again.
      if (!this.#isFaultLogged) logger.warn('the new authorities of the webhook cannot be read: the former ones hold')
      this.#isFaultLogged = true
      return 'again'
    }
    this.#isFaultLogged = false
    logger.info('the webhook has new authorities')
    return 'done'
  }
}

function tlsOf(caFile: string | undefined): TlsOptions {
  const ca = caFile === undefined ? undefined : readAuthorities(caFile)
  // A session that is resumed shows no certificate.
  return { minVersion: 'TLSv1.2', maxCachedSessions: 0, ...(ca !== undefined && { ca }) }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Node would take any text, and then trust nobody. */
function readAuthorities(path: string): string {
  try {
    const certificates = readRegularFile(path, LARGEST_PEM).match(CERTIFICATE) ?? []
    for (const pem of certificates) new X509Certificate(pem)
    if (certificates.length > 0) return certificates.join('\n')
  } catch {
    // The file is to be mended, whatever is wrong with it.
  }
  throw new ConfigError(['ENTITLEMENT_WEBHOOK_CA must be the path of a file with certificates in PEM'])
}

/** Says when a question was asked, and that the asker knows the secret: `t=1780315200,v1=5257a8…`. */
function signatureOf(body: string, secret: string, now: number): string {
  const seconds = Math.floor(now / 1000)
  const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
  return `t=${seconds},v1=${signature}`
}
