import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { Door, TlsDoor } from '../../config/settings-entitlement.js'
import { LARGEST_PEM, readRegularFile } from '../../ground/regular-files.js'
import { codeOf, type DoorCertificates, type OwnCertificate, refusalOfOpenSsl } from './secure-context.js'

type FileSetting = 'ENTITLEMENT_TLS_CERT' | 'ENTITLEMENT_TLS_KEY' | 'ENTITLEMENT_CLIENT_CA'

const faults = {
  NO_CERTIFICATE: 'has no certificate in PEM',
  UNREADABLE_CERTIFICATE: 'has a certificate that cannot be read',
  UNREADABLE_KEY: 'has no private key in PEM, or one with a passphrase',
  KEY_DOES_NOT_FIT: 'is not the key of the certificate in ENTITLEMENT_TLS_CERT',
  NO_AUTHORITY: 'has a certificate that is not that of an authority',
  NO_ROOT: 'has an authority without the root that it comes from',
} as const

/** Why a file is of no use. The texts of the system and of OpenSSL stay out: they may quote what was read. */
export class UnusableFile extends Error {
  constructor(
    readonly setting: FileSetting,
    readonly code: string,
  ) {
    super(`${setting} ${isFault(code) ? faults[code] : `cannot be used: ${code}`}`)
    this.name = 'UnusableFile'
  }
}

export function doorFiles(door: Door): readonly string[] {
  return door.kind === 'tls' ? [door.certFile, door.keyFile, door.clientCaFile] : [door.clientCaFile]
}

/** Throws an UnusableFile. They are small and seldom read. */
export function readDoorFiles(door: Door): DoorCertificates {
  const authorities = authoritiesIn(textOf('ENTITLEMENT_CLIENT_CA', door.clientCaFile))
  if (door.kind === 'proxy') return { own: undefined, authorities }
  const certificates = { own: readOwn(door), authorities }
  const refusal = refusalOfOpenSsl(certificates)
  if (refusal !== undefined) throw new UnusableFile('ENTITLEMENT_TLS_CERT', refusal)
  return certificates
}

function readOwn({ certFile, keyFile }: TlsDoor): OwnCertificate {
  const [certificate, ...others] = certificatesIn('ENTITLEMENT_TLS_CERT', textOf('ENTITLEMENT_TLS_CERT', certFile))
  const key = textOf('ENTITLEMENT_TLS_KEY', keyFile)
  if (!certificate.checkPrivateKey(privateKey(key))) throw new UnusableFile('ENTITLEMENT_TLS_KEY', 'KEY_DOES_NOT_FIT')
  return { certificate, chain: [certificate, ...others].join(''), key }
}

function authoritiesIn(pem: string): X509Certificate[] {
  const authorities = certificatesIn('ENTITLEMENT_CLIENT_CA', pem)
  // One that pins a client would let it in for ever, and be taken for an authority by nobody.
  if (!authorities.every(({ ca }) => ca)) throw new UnusableFile('ENTITLEMENT_CLIENT_CA', 'NO_AUTHORITY')
  // OpenSSL trusts chains that end in a root, and would refuse every client of an authority without one.
  const hasIssuer = (one: X509Certificate) => authorities.some(other => isIssuedBy(one, other))
  if (!authorities.every(hasIssuer)) throw new UnusableFile('ENTITLEMENT_CLIENT_CA', 'NO_ROOT')
  return authorities
}

export function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  try {
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
  } catch {
    // A key of a kind that OpenSSL does not know.
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
