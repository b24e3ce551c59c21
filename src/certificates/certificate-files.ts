import { constants, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { LARGEST_PEM, readRegularFile } from '../ground/files.js'

/** What a server presents. */
export interface OwnCertificate {
  readonly certificate: X509Certificate
  /** With its intermediates, in the order of the file. */
  readonly chain: string
  readonly key: string
}

const faults = {
  NO_CERTIFICATE: 'has no certificate in PEM',
  UNREADABLE_CERTIFICATE: 'has a certificate that cannot be read',
  UNREADABLE_KEY: 'has no private key in PEM, or one with a passphrase',
  KEY_DOES_NOT_FIT: 'is not the key of the certificate in',
  NO_AUTHORITY: 'has a certificate that is not that of an authority',
  NO_ROOT: 'has an authority without the root that it comes from',
} as const

/** A file cannot be used. The error leaves out the messages of the system and of OpenSSL: they may quote the file. */
export class UnusableFile extends Error {
  /** `other` is the setting that it does not fit to. */
  constructor(
    readonly setting: string,
    readonly code: string,
    other?: string,
  ) {
    const said = isFault(code) ? faults[code] : `cannot be used: ${code}`
    super(`${setting} ${said}${other === undefined ? '' : ` ${other}`}`)
    this.name = 'UnusableFile'
  }
}

/** The files of a server's certificate and key, and the settings that name them. */
export interface OwnFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly certSetting: string
  readonly keySetting: string
}

/** Throws an UnusableFile. Reading is synchronous: the files are small and read seldom. */
export function readOwnCertificate({ certFile, keyFile, certSetting, keySetting }: OwnFiles): OwnCertificate {
  const [certificate, ...others] = certificatesIn(certSetting, textOf(certSetting, certFile))
  const key = textOf(keySetting, keyFile)
  if (!certificate.checkPrivateKey(privateKey(keySetting, key)))
    throw new UnusableFile(keySetting, 'KEY_DOES_NOT_FIT', certSetting)
  return { certificate, chain: [certificate, ...others].join(''), key }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The certificates of a PEM text, each in PEM. */
export function pemCertificates(text: string): readonly string[] {
  return text.match(CERTIFICATE) ?? []
}

export function certificatesIn(setting: string, pem: string): [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...others] = pemCertificates(pem).map(text => new X509Certificate(text))
    if (first !== undefined) return [first, ...others]
  } catch {
    throw new UnusableFile(setting, 'UNREADABLE_CERTIFICATE')
  }
  throw new UnusableFile(setting, 'NO_CERTIFICATE')
}

function privateKey(setting: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new UnusableFile(setting, 'UNREADABLE_KEY')
  }
}

export function textOf(setting: string, path: string): string {
  try {
    return readRegularFile(path, LARGEST_PEM)
  } catch (error) {
    throw new UnusableFile(setting, codeOf(error))
  }
}

function isFault(code: string): code is keyof typeof faults {
  return Object.hasOwn(faults, code)
}

/** TLS 1.2 and 1.3, set explicitly: the command line of Node can change the defaults. Renegotiation is off. */
export const TLS_VERSIONS = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const satisfies SecureContextOptions

/** Throws an UnusableFile if OpenSSL cannot use the certificate of this setting, such as one with a key that is too short. */
export function requireUsable(setting: string, options: SecureContextOptions): void {
  try {
    createSecureContext(options)
  } catch (error) {
    throw new UnusableFile(setting, codeOf(error))
  }
}

/** The error code of the system or of OpenSSL, without the message, which may quote the file. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'UNUSABLE'
}
