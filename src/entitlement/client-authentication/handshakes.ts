import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { Clock, Timer } from '../../ground/clock.js'
import type { Logger } from '../../ground/logger.js'
import type { Metrics } from '../../metrics.js'
import type { ClientRefusal } from './client-authorities.js'
import { subjectText } from './client-names.js'

/** Per reason; further lines are only counted. */
const LINES_A_SECOND = 5

export interface HandshakesParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

export interface RefusedClient {
  readonly address: string | undefined
  readonly reason: ClientRefusal
  readonly code?: string | undefined
  readonly certificate?: X509Certificate | undefined
}

/** Logs and counts refused clients. */
export class Handshakes {
  readonly #logger: Logger
  readonly #metrics: Metrics
  readonly #lines: LineLimit

  constructor({ clock, logger, metrics }: HandshakesParts) {
    this.#logger = logger
    this.#metrics = metrics
    this.#lines = new LineLimit(clock, LINES_A_SECOND, (reason, count) =>
      logger.warn({ reason, count }, 'more clients refused'),
    )
  }

  /** Logs the count of the lines that were left out. */
  close(): void {
    this.#lines.close()
  }

  /** `certificate` must be verified: the log shows its subject. */
  refused({ address, reason, code, certificate }: RefusedClient): void {
    this.#metrics.clientRefused(reason)
    if (!this.#lines.admit(reason)) return
    const subject = certificate && subjectText(certificate)
    this.#logger.warn({ address, reason, code, subject, serial: certificate?.serialNumber }, 'client refused')
  }

  /** A handshake failed. */
  failed(error: NodeJS.ErrnoException, { authorizationError }: TLSSocket, from: Origin | undefined): void {
    const address = from?.address
    // It is an error code, although Node's type says otherwise.
    const code = codeWord(authorizationError ?? error.code)
    if (code !== 'ECONNRESET' && code !== 'EPIPE') {
      this.refused({ address, reason: reasonOf(code), code })
      return
    }
    // A port check sends nothing, and is no fault. A client that rejects our certificate may hang up like this, too.
    const level = from?.hasSpoken() ? 'info' : 'debug'
    this.#logger[level]({ address, code }, 'handshake broken off by the client')
  }
}

/** Where a connection came from, for the time after it has closed. */
export interface Origin {
  readonly address: string | undefined
  hasSpoken(): boolean
}

const REASONS: Readonly<Record<string, ClientRefusal>> = {
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'no certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknown authority',
  CERT_SIGNATURE_FAILURE: 'unknown authority',
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not yet valid',
  INVALID_PURPOSE: 'not for clients',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'protocol version',
  ERR_SSL_VERSION_TOO_LOW: 'protocol version',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'protocol version',
  ERR_SSL_HTTP_REQUEST: 'no TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'no TLS',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'too slow',
}

const OWN_CERTIFICATE = /_ALERT_(?:UNKNOWN_CA|(?:BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(?:EXPIRED|REVOKED|UNKNOWN))$/

function reasonOf(code: string): ClientRefusal {
  return REASONS[code] ?? (OWN_CERTIFICATE.test(code) ? 'server certificate not accepted' : 'other')
}

/** Only an error code of OpenSSL or Node. Codes of OpenSSL 3.5 may have a slash: `ERR_SSL_SSL/TLS_ALERT_…`. */
function codeWord(code: unknown): string {
  return typeof code === 'string' && /^[A-Z][A-Z\d_/]{0,79}$/.test(code) ? code : 'UNKNOWN'
}

/**
 * Passes the first few log lines of each kind per second, and reports afterwards how many it left out: a flood of one
 * kind of line must not fill the disk.
 */
export class LineLimit {
  readonly #perSecond: number
  readonly #more: (kind: string, count: number) => void
  readonly #counts = new Map<string, number>()
  readonly #clock: Clock
  #timer: Timer | undefined

  constructor(clock: Clock, perSecond: number, more: (kind: string, count: number) => void) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#more = more
  }

  /** Whether to write a line of this kind. There are few kinds. */
  admit(kind: string): boolean {
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    this.#timer ??= this.#clock.after(1000, () => this.#endSecond())
    return count <= this.#perSecond
  }

  close(): void {
    this.#endSecond()
  }

  #endSecond(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (const [kind, count] of this.#counts) if (count > this.#perSecond) this.#more(kind, count - this.#perSecond)
    this.#counts.clear()
  }
}
