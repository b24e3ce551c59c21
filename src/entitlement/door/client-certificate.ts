import { X509Certificate } from 'node:crypto'
import { isIssuedBy } from './files.js'
import type { ClientRefusal } from './handshakes.js'

/**
 * The certificate that a proxy passes on: the Client-Cert field of RFC 9440 (`:base64 of the DER:`), or PEM with
 * percent signs, as nginx and AWS write it; `undefined` when it is neither. Of a chain it is the first.
 */
export function passedCertificate(text: string): X509Certificate | undefined {
  const base64 = RFC_9440.exec(text)?.[1] ?? FIRST_PEM.exec(decoded(text))?.[1]
  if (base64 === undefined) return undefined
  const der = Buffer.from(base64, 'base64')
  try {
    const certificate = new X509Certificate(der)
    // OpenSSL takes other things than one DER certificate, and overlooks what follows it.
    return certificate.raw.equals(der) ? certificate : undefined
  } catch {
    return undefined
  }
}

const RFC_9440 = /^:([A-Za-z\d+/]+={0,2}):$/
const FIRST_PEM = /^-----BEGIN CERTIFICATE-----\r?\n([A-Za-z\d+/=\r\n]+)\r?\n-----END CERTIFICATE-----(?:\s|$)/

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

function refusedTime({ validFrom, validTo }: X509Certificate, now: number): ClientRefusal | undefined {
  if (now < Date.parse(validFrom)) return 'not yet valid'
  // Never is not a time to wait for: a date that cannot be read counts as passed.
  return now <= Date.parse(validTo) ? undefined : 'expired'
}

const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2'

/** What OpenSSL checks in a handshake, for a certificate that came another way: issued by one of the authorities itself. */
export function refusalOf(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
  now: number,
): ClientRefusal | undefined {
  const issuers = authorities.filter(authority => isIssuedBy(certificate, authority))
  if (issuers.length === 0) return 'unknown authority'
  // An authority that was renewed with its key may be there twice: one of them is enough.
  const ofIssuers = issuers.map(issuer => refusedTime(issuer, now))
  const refused = refusedTime(certificate, now) ?? (ofIssuers.includes(undefined) ? undefined : ofIssuers[0])
  if (refused !== undefined) return refused
  // Node calls the purposes so. An authority is nobody's client, a root is issued by itself.
  const { ca, keyUsage: purposes } = certificate as { ca: boolean; keyUsage: string[] | undefined } // without the extension there is none
  if (ca || purposes?.includes(CLIENT_AUTHENTICATION) === false) return 'not for clients'
  return undefined
}
