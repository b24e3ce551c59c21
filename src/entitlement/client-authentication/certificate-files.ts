import { constants, type X509Certificate } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'
import {
  certificatesIn,
  type OwnCertificate,
  readOwnCertificate,
  requireUsable,
  TLS_VERSIONS,
  textOf,
  UnusableFile,
} from '../../certificates/certificate-files.js'
import type { AuthenticationSettings } from '../../config/settings-entitlement.js'

/** The contents of the certificate files; they match each other. */
export interface ServiceCertificates {
  /** What the server presents; undefined behind a proxy. */
  readonly own: OwnCertificate | undefined
  /** The authorities of ENTITLEMENT_CLIENT_CA only. */
  readonly authorities: readonly X509Certificate[]
}

export function filesOf(settings: AuthenticationSettings): readonly string[] {
  const { clientCaFile } = settings
  return settings.kind === 'tls' ? [settings.certFile, settings.keyFile, clientCaFile] : [clientCaFile]
}

const SETTINGS = { certSetting: 'ENTITLEMENT_TLS_CERT', keySetting: 'ENTITLEMENT_TLS_KEY' } as const
const CLIENT_CA = 'ENTITLEMENT_CLIENT_CA'

/** Throws an UnusableFile. */
export function readCertificates(settings: AuthenticationSettings): ServiceCertificates {
  const authorities = authoritiesIn(textOf(CLIENT_CA, settings.clientCaFile))
  if (settings.kind === 'proxy') return { own: undefined, authorities }
  const certificates = { own: readOwnCertificate({ ...settings, ...SETTINGS }), authorities }
  requireUsable(SETTINGS.certSetting, secureContextOptions(certificates))
  return certificates
}

function authoritiesIn(pem: string): X509Certificate[] {
  const authorities = certificatesIn(CLIENT_CA, pem)
  // A pinned client certificate would never expire here, and it is not an authority of any other client.
  if (!authorities.every(({ ca }) => ca)) throw new UnusableFile(CLIENT_CA, 'NO_AUTHORITY')
  // OpenSSL trusts only chains that end in a root: without the root it would refuse every client of the authority.
  const hasIssuer = (one: X509Certificate) => authorities.some(other => isIssuedBy(one, other))
  if (!authorities.every(hasIssuer)) throw new UnusableFile(CLIENT_CA, 'NO_ROOT')
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

/**
 * The TLS options. Session resumption is off: a resumed session presents no certificate, so it would let in a client
 * whose certificate has expired, or whose authority was removed, since. Renegotiation is off, too.
 */
export function secureContextOptions({ own, authorities }: ServiceCertificates): SecureContextOptions {
  return {
    cert: own?.chain,
    key: own?.key,
    ca: authorities.map(String),
    ...TLS_VERSIONS,
    secureOptions: constants.SSL_OP_NO_TICKET | TLS_VERSIONS.secureOptions,
  }
}
