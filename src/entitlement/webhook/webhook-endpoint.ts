import { createHmac, X509Certificate } from 'node:crypto'
import type { WebhookSettings } from '../../config/settings-entitlement.js'
import { RemoteService, type TlsOptions } from '../../connections/remote-service.js'
import type { RequestFailure } from '../../connections/request-failure.js'
import type { ReceivedAnswer } from '../../connections/sent-request.js'
import { ConfigError } from '../../errors/config-error.js'
import type { Clock } from '../../ground/clock.js'
import { LARGEST_PEM, readRegularFile } from '../../ground/files.js'
import type { Logger } from '../../ground/logger.js'
import { packageVersion } from '../../ground/own-package.js'
import { type WatchedFiles, watchFiles } from '../../ground/watched-files.js'

/** A decision has a few dozen bytes, with a content a few thousand. */
const MAX_ANSWER = 262_144
const CONNECTIONS = 64
/** A question behind this many others would time out in the queue. */
const MAX_QUEUE = 256
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

/** The customer's own endpoint. Questions are signed; a changed CA file is read again. */
export class WebhookEndpoint {
  readonly #parts: WebhookEndpointParts
  readonly #service: RemoteService
  readonly #watched: WatchedFiles | undefined
  #isFaultLogged = false

  /** Throws a ConfigError when the CA file has no certificates. */
  constructor(parts: WebhookEndpointParts) {
    const { clock } = parts
    const { url, timeout, caFile } = parts.settings
    this.#parts = parts
    this.#service = new RemoteService({
      url: new URL(url.origin),
      connections: CONNECTIONS,
      queue: MAX_QUEUE,
      timeout,
      connectTimeout: timeout,
      largestAnswer: MAX_ANSWER,
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

  /** Call it when nothing is in flight. */
  async close(): Promise<void> {
    this.#watched?.close()
    await this.#service.close()
  }

  /** The open connections were verified against the former authorities, so they close after the requests in flight. */
  #renewAuthorities(caFile: string): 'done' | 'again' {
    const { logger } = this.#parts
    try {
      this.#service.reconnect(tlsOf(caFile))
    } catch {
      // Logged once, although the file is read again and again.
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
  // A resumed session skips the certificate check.
  return { minVersion: 'TLSv1.2', maxCachedSessions: 0, ...(ca !== undefined && { ca }) }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Node accepts any text here, and would then trust no certificate. */
function readAuthorities(path: string): string {
  try {
    const certificates = readRegularFile(path, LARGEST_PEM).match(CERTIFICATE) ?? []
    for (const pem of certificates) new X509Certificate(pem)
    if (certificates.length > 0) return certificates.join('\n')
  } catch {
    // Whatever is wrong with the file, the operator has to fix it.
  }
  throw new ConfigError(['ENTITLEMENT_WEBHOOK_CA must be the path of a file with certificates in PEM'])
}

/** Proves when the question was sent, and that the sender knows the secret: `t=1780315200,v1=5257a8…`. */
function signatureOf(body: string, secret: string, now: number): string {
  const seconds = Math.floor(now / 1000)
  const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
  return `t=${seconds},v1=${signature}`
}
