import type { X509Certificate } from 'node:crypto'
import { codeOf, UnusableFile } from '../../certificates/certificate-files.js'
import type { AuthenticationSettings } from '../../config/settings-entitlement.js'
import { ConfigError } from '../../errors/config-error.js'
import type { Clock, Timer } from '../../ground/clock.js'
import type { Logger } from '../../ground/logger.js'
import { type WatchedFiles, watchFiles } from '../../ground/watched-files.js'
import { filesOf, readCertificates, type ServiceCertificates } from './certificate-files.js'
import { ClientAuthorities } from './client-authorities.js'
import { subjectText } from './client-names.js'

export interface CurrentCertificatesParts {
  readonly settings: AuthenticationSettings
  readonly clock: Clock
  readonly logger: Logger
  /** Called after every change. */
  readonly renewed?: (certificates: ServiceCertificates) => void
}

const DAY_MS = 86_400_000
const SOON_MS = 14 * DAY_MS
const MAX_SHOWN = 10

/** The certificates of the last usable files. Files that don't match each other leave the former ones in force. */
export class CurrentCertificates {
  readonly #parts: CurrentCertificatesParts
  readonly #watched: WatchedFiles
  readonly #daily: Timer
  #current: ServiceCertificates
  #clientAuthorities: ClientAuthorities
  #loggedFault: string | undefined

  /** Throws a ConfigError when the files cannot be used. */
  constructor(parts: CurrentCertificatesParts) {
    this.#parts = parts
    // Watched before they are read: they may change during the read.
    this.#watched = watchFiles(filesOf(parts.settings), parts.clock, async () => this.#readAgain())
    this.#daily = parts.clock.every(DAY_MS, () => this.#warnOfEnds())
    try {
      this.#current = readCertificates(parts.settings)
      this.#clientAuthorities = new ClientAuthorities(this.#current.authorities)
    } catch (error) {
      this.close()
      throw error instanceof UnusableFile ? new ConfigError([error.message]) : error
    }
    this.#warnOfEnds()
  }

  /** A new object after every change. */
  get clientAuthorities(): ClientAuthorities {
    return this.#clientAuthorities
  }

  get current(): ServiceCertificates {
    return this.#current
  }

  close(): void {
    this.#watched.close()
    this.#daily.cancel()
  }

  #readAgain(): 'done' | 'again' {
    try {
      this.#change(readCertificates(this.#parts.settings))
      this.#loggedFault = undefined
      return 'done'
    } catch (error) {
      this.#logFault(error)
      return 'again'
    }
  }

  #change(read: ServiceCertificates): void {
    const { logger, renewed } = this.#parts
    const before = this.#current
    const isOwnNew = read.own?.chain !== before.own?.chain || read.own?.key !== before.own?.key
    const areAuthoritiesNew = read.authorities.join('') !== before.authorities.join('')
    if (!isOwnNew && !areAuthoritiesNew) return
    renewed?.(read)
    this.#current = read
    if (isOwnNew && read.own !== undefined) logger.info(shown(read.own.certificate), 'server certificate renewed')
    if (areAuthoritiesNew) {
      this.#clientAuthorities = new ClientAuthorities(read.authorities)
      const authorities = read.authorities.slice(0, MAX_SHOWN).map(shown)
      logger.info({ authorities, count: read.authorities.length }, 'client authorities renewed')
    }
    this.#warnOfEnds()
  }

  /** Logs a fault once, although the files are read again and again. */
  #logFault(error: unknown): void {
    const [setting, code] = error instanceof UnusableFile ? [error.setting, error.code] : [undefined, codeOf(error)]
    const fault = `${setting} ${code}`
    if (fault === this.#loggedFault) return
    this.#loggedFault = fault
    this.#parts.logger.warn({ setting, code }, 'new certificates are of no use, the old ones stay')
  }

  /** At the start, at every change, and once a day. */
  #warnOfEnds(): void {
    const { own, authorities } = this.#current
    if (own !== undefined) this.#warnOfEnd(own.certificate, 'server certificate')
    for (const authority of authorities.slice(0, MAX_SHOWN)) this.#warnOfEnd(authority, 'client authority')
  }

  #warnOfEnd(certificate: X509Certificate, what: string): void {
    const left = Date.parse(certificate.validTo) - this.#parts.clock.now()
    if (left >= SOON_MS) return
    this.#parts.logger.warn(shown(certificate), `${what} ${left < 0 ? 'has expired' : 'ends soon'}`)
  }
}

function shown(certificate: X509Certificate) {
  return {
    subject: subjectText(certificate),
    serial: certificate.serialNumber,
    notAfter: new Date(certificate.validTo).toISOString(),
  }
}
