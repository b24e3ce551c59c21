import { constants, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import type { AuthenticationSettings, MutualTlsSettings } from '../../config/settings-entitlement.js'
import { LARGEST_PEM, readRegularFile } from '../../ground/files.js'

/** The contents of the certificate files; they match each other. */
export interface ServiceCertificates {
  /** What the server presents; undefined behind a proxy. */
  readonly own: OwnCertificate | undefined
  /** The authorities of ENTITLEMENT_CLIENT_CA only. */
  readonly authorities: readonly X509Certificate[]
}

export interface OwnCertificate {
  readonly certificate: X509Certificate
  /** With its intermediates, in the order of the file. */
  readonly chain: string
  readonly key: string
}

type FileSetting = 'ENTITLEMENT_TLS_CERT' | 'ENTITLEMENT_TLS_KEY' | 'ENTITLEMENT_CLIENT_CA'

const faults = {
  NO_CERTIFICATE: 'has no certificate in PEM',
  UNREADABLE_CERTIFICATE: 'has a certificate that cannot be read',
  UNREADABLE_KEY: 'has no private key in PEM, or one with a passphrase',
  KEY_DOES_NOT_FIT: 'is not the key of the certificate in ENTITLEMENT_TLS_CERT',
  NO_AUTHORITY: 'has a certificate that is not that of an authority',
  NO_ROOT: 'has an authority without the root that it comes from',
} as const

/** A file cannot be used. The error leaves out the messages of the system and of OpenSSL: they may quote the file. */
export class UnusableFile extends Error {
  constructor(
    readonly setting: FileSetting,
    readonly code: string,
  ) {
    super(`${setting} ${isFault(code) ? faults[code] : `cannot be used: ${code}`}`)
    this.name = 'UnusableFile'
  }
}

export function filesOf(settings: AuthenticationSettings): readonly string[] {
  const { clientCaFile } = settings
  return settings.kind === 'tls' ? [settings.certFile, settings.keyFile, clientCaFile] : [clientCaFile]
}

/** Throws an UnusableFile. Reading is synchronous: the files are small and read seldom. */
export function readCertificates(settings: AuthenticationSettings): ServiceCertificates {
  const authorities = authoritiesIn(textOf('ENTITLEMENT_CLIENT_CA', settings.clientCaFile))
  if (settings.kind === 'proxy') return { own: undefined, authorities }
  const certificates = { own: readOwn(settings), authorities }
  const refusal = refusalOfOpenSsl(certificates)
  if (refusal !== undefined) throw new UnusableFile('ENTITLEMENT_TLS_CERT', refusal)
  return certificates
}

function readOwn({ certFile, keyFile }: MutualTlsSettings): OwnCertificate {
  const [certificate, ...others] = certificatesIn('ENTITLEMENT_TLS_CERT', textOf('ENTITLEMENT_TLS_CERT', certFile))
  const key = textOf('ENTITLEMENT_TLS_KEY', keyFile)
  if (!certificate.checkPrivateKey(privateKey(key))) throw new UnusableFile('ENTITLEMENT_TLS_KEY', 'KEY_DOES_NOT_FIT')
  return { certificate, chain: [certificate, ...others].join(''), key }
}

function authoritiesIn(pem: string): X509Certificate[] {
  const authorities = certificatesIn('ENTITLEMENT_CLIENT_CA', pem)
  // A pinned client certificate would never expire here, and it is not an authority of any other client.
  if (!authorities.every(({ ca }) => ca)) throw new UnusableFile('ENTITLEMENT_CLIENT_CA', 'NO_AUTHORITY')
  // OpenSSL trusts only chains that end in a root: without the root it would refuse every client of the authority.
  const hasIssuer = (one: X509Certificate) => authorities.some(other => isIssuedBy(one, other))
  if (!authorities.every(hasIssuer)) throw new UnusableFile('ENTITLEMENT_CLIENT_CA', 'NO_ROOT')
  return authorities
}

export function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  try {
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
  } catch {
    // OpenSSL does not know this type of key.
    return false
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

function certificatesIn(setting: FileSetting, pem: string): [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...others] = (pem.match(CERTIFICATE) ?? []).map(text => new X509Certificate(text))
    if (first !== undefined) return [first, ...others]
  } catch {
    throw new UnusableFile(setting, 'UNREADABLE_CERTIFICATE')
  }
  throw new UnusableFile(setting, 'NO_CERTIFICATE')
}

function privateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new UnusableFile('ENTITLEMENT_TLS_KEY', 'UNREADABLE_KEY')
  }
}

function textOf(setting: FileSetting, path: string): string {
  try {
    return readRegularFile(path, LARGEST_PEM)
  } catch (error) {
    throw new UnusableFile(setting, codeOf(error))
  }
}

function isFault(code: string): code is keyof typeof faults {
  return Object.hasOwn(faults, code)
}

/**
 * The TLS options. Session resumption is off: a resumed session presents no certificate, so it would let in a client
 * whose certificate has expired, or whose authority was removed, since. Renegotiation is off, too.
 */
export function secureContextOptions({ own, authorities }: ServiceCertificates): SecureContextOptions {
  return {
    cert: own?.chain,
    key: own?.key,
    ca: authorities.map(String),
    // Set explicitly: the command line of Node can change the default.
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  }
}

/** Why OpenSSL cannot use the certificates, such as a key that is too short; `undefined` when it can. */
function refusalOfOpenSsl(certificates: ServiceCertificates): string | undefined {
  try {
    createSecureContext(secureContextOptions(certificates))
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}

/** The error code of the system or of OpenSSL, without the message, which may quote the file. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'UNUSABLE'
}
