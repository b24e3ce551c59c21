import type { SecureContextOptions } from 'node:tls'
import { ConfigError } from '../errors/config-error.js'
import type { Clock } from '../ground/clock.js'
import type { Logger } from '../ground/logger.js'
import { type WatchedFiles, watchFiles } from '../ground/watched-files.js'
import { codeOf, readOwnCertificate, requireUsable, TLS_VERSIONS, UnusableFile } from './certificate-files.js'
import type { ServedCertificates } from './served-certificates.js'

export interface FileCertificatesParts {
  readonly certFile: string
  readonly keyFile: string
  readonly clock: Clock
  readonly logger: Logger
}

const SETTINGS = { certSetting: 'TLS_CERT', keySetting: 'TLS_KEY' } as const

/** TLS_CERT and TLS_KEY. They are read again when they change; new ones that do not fit each other change nothing. */
export class FileCertificates implements ServedCertificates {
  readonly ca = undefined
  readonly #parts: FileCertificatesParts
  readonly #watched: WatchedFiles
  readonly #renewed: (() => void)[] = []
  #current: SecureContextOptions
  #loggedFault: string | undefined

  /** Throws a ConfigError if the files cannot be used. */
  constructor(parts: FileCertificatesParts) {
    this.#parts = parts
    const files = [parts.certFile, parts.keyFile]
    // Watched before they are read: they may change meanwhile.
    this.#watched = watchFiles(files, parts.clock, async () => this.#readAgain())
    try {
      this.#current = this.#read()
    } catch (error) {
      this.close()
      throw error instanceof UnusableFile ? new ConfigError([error.message]) : error
    }
  }

  get current(): SecureContextOptions {
    return this.#current
  }

  async contextFor(): Promise<undefined> {
    return undefined
  }

  onRenewal(renewed: () => void): void {
    this.#renewed.push(renewed)
  }

  close(): void {
    this.#watched.close()
  }

  #read(): SecureContextOptions {
    const { chain, key } = readOwnCertificate({ ...this.#parts, ...SETTINGS })
    const options = { cert: chain, key, ...TLS_VERSIONS }
    requireUsable(SETTINGS.certSetting, options)
    return options
  }

  #readAgain(): 'done' | 'again' {
    const { logger } = this.#parts
    try {
      this.#current = this.#read()
      for (const renewed of this.#renewed) renewed()
      this.#loggedFault = undefined
      logger.info('the TLS certificate was renewed')
      return 'done'
    } catch (error) {
      const [setting, code] = error instanceof UnusableFile ? [error.setting, error.code] : [undefined, codeOf(error)]
      const fault = `${setting} ${code}`
      // It is read again and again.
      if (fault !== this.#loggedFault)
        logger.warn({ setting, code }, 'the new TLS certificate is of no use, the old one stays')
      this.#loggedFault = fault
      return 'again'
    }
  }
}
