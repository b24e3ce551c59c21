import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { hasCode, LARGEST_PEM, makeFolder, readRegularFile, writeDurably } from '../ground/files.js'
import { pemCertificates } from './certificate-files.js'
import { trustStore } from './trust-store.js'

/** What programs need to trust an authority, in the forms that they read. */
export interface TrustFiles {
  /** The authority alone, for programs that add it to those that they trust. */
  readonly ca: string
  /** With the system's authorities, for programs that trust what is in the file and nothing else. */
  readonly bundle: string
  /** The same in PKCS #12, for Java. */
  readonly store: string
  /** A folder with settings for PHP. */
  readonly php: string
}

/** Writes them. `former` is the bundle that programs have used so far, if the environment names one. */
export function writeTrustFiles(folder: string, ca: string, former: string | undefined): TrustFiles {
  const files: TrustFiles = {
    ca: join(folder, 'ca.pem'),
    bundle: join(folder, 'bundle.pem'),
    store: join(folder, 'bundle.p12'),
    php: join(folder, 'php'),
  }
  const others = systemAuthorities(former === files.bundle ? [] : [former ?? ''])
  const all = [...new Set([...pemCertificates(ca), ...others])]
  makeFolder(files.php)
  write(files.ca, ca)
  write(files.bundle, all.map(pem => `${pem}\n`).join(''))
  write(files.store, trustStore(all.map(derOf)))
  write(join(files.php, 'expressplay-token-backend.ini'), phpSettings(files.bundle))
  return files
}

function write(path: string, text: string | Buffer): void {
  writeDurably({ path, text, mode: 0o644, replace: true })
}

/** Debian, Arch and Alpine; Fedora; openSUSE; macOS and the BSDs. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/** Those of the first file that has any, or else Mozilla's, which Node has. */
function systemAuthorities(first: readonly string[]): readonly string[] {
  for (const path of [...first, ...SYSTEM_BUNDLES]) {
    const found = pemCertificates(textOf(path))
    if (found.length > 0) return found
  }
  return rootCertificates
}

function textOf(path: string): string {
  try {
    return path === '' ? '' : readRegularFile(path, LARGEST_PEM)
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EISDIR', 'NOT_A_FILE', 'TOO_LARGE'].some(code => hasCode(error, code))) return ''
    throw error
  }
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
}

/** PHP's own names: neither its curl nor its streams read a variable for this. */
function phpSettings(bundle: string): string {
  return `curl.cainfo="${bundle}"\nopenssl.cafile="${bundle}"\n`
}
