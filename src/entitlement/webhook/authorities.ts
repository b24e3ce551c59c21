import { X509Certificate } from 'node:crypto'
import { ConfigError } from '../../errors/config-error.js'
import { LARGEST_PEM, readRegularFile } from '../../ground/regular-files.js'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The certificates of ENTITLEMENT_WEBHOOK_CA. Node would take any text, and then trust nobody. */
export function readAuthorities(path: string): string {
  try {
    const certificates = readRegularFile(path, LARGEST_PEM).match(CERTIFICATE) ?? []
    for (const pem of certificates) new X509Certificate(pem)
    if (certificates.length > 0) return certificates.join('\n')
  } catch {
    // Not to be read, or none: it is all the same to whoever has to mend it.
  }
  throw new ConfigError(['ENTITLEMENT_WEBHOOK_CA must be the path of a file with certificates in PEM'])
}
