import { X509Certificate } from 'node:crypto'

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
