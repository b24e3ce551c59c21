import { constants, type X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'

/** What the files of a door say, when they fit together. */
export interface DoorCertificates {
  /** What the server presents; behind a proxy it presents nothing. */
  readonly own: OwnCertificate | undefined
  /** Those of ENTITLEMENT_CLIENT_CA, and no others. */
  readonly authorities: readonly X509Certificate[]
}

export interface OwnCertificate {
  readonly certificate: X509Certificate
  /** With those of the authorities between it and the root, as the file has them. */
  readonly chain: string
  readonly key: string
}

/**
 * How the TLS door speaks. A session that is resumed brings no certificate, so it would let in whose certificate has
 * expired, or whose authority was taken away, meanwhile: there is none. Nothing is negotiated twice on one connection.
 */
export function secureContextOptions({ own, authorities }: DoorCertificates): SecureContextOptions {
  return {
    cert: own?.chain,
    key: own?.key,
    ca: authorities.map(String),
    // Said here, whatever the command line of Node says.
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  }
}

/** What keeps OpenSSL from using the certificates, such as a key that is too short; `undefined` when nothing does. */
export function refusalOfOpenSsl(certificates: DoorCertificates): string | undefined {
  try {
    createSecureContext(secureContextOptions(certificates))
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}

/** The word of the system or of OpenSSL, without the text, which may quote what it is about. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'UNUSABLE'
}
