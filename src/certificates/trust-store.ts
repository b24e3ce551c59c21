import { element, OCTETS, SEQUENCE, SET } from './der.js'

/**
 * A PKCS #12 file of authorities (RFC 7292), as Java 8 and newer read one without a password: certificates are public, so
 * nothing is encrypted or has a MAC.
 */
export function trustStore(certificates: readonly Buffer[]): Buffer {
  const bags = element(SEQUENCE, ...certificates.map(trustedBag))
  return element(SEQUENCE, VERSION_3, dataOf(element(SEQUENCE, dataOf(bags))))
}

const VERSION_3 = Buffer.from([0x02, 0x01, 0x03])
const EXPLICIT = 0xa0

/** pkcs7-data */
const DATA = oid('2a864886f70d010701')
/** pkcs-12-certBag */
const CERTIFICATE_BAG = oid('2a864886f70d010c0a0103')
/** x509Certificate of PKCS #9 */
const X509 = oid('2a864886f70d01091601')
/** Oracle's trustedKeyUsage: without it Java takes a certificate for a part of some chain, and does not trust it. */
const TRUSTED_USAGE = oid('6086480186f966adca7b0101')
const ANY_USAGE = oid('551d2500')

function trustedBag(certificate: Buffer): Buffer {
  const value = element(SEQUENCE, X509, element(EXPLICIT, element(OCTETS, certificate)))
  const trusted = element(SEQUENCE, TRUSTED_USAGE, element(SET, ANY_USAGE))
  return element(SEQUENCE, CERTIFICATE_BAG, element(EXPLICIT, value), element(SET, trusted))
}

function dataOf(content: Buffer): Buffer {
  return element(SEQUENCE, DATA, element(EXPLICIT, element(OCTETS, content)))
}

function oid(hex: string): Buffer {
  return element(0x06, Buffer.from(hex, 'hex'))
}
