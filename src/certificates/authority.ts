import { createPrivateKey, X509Certificate as ReadCertificate, webcrypto } from 'node:crypto'
import { alternativeName } from './certificate-names.js'
import { nameConstraints, type PermittedNames } from './name-constraints.js'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from './x509-library.js'

/** A certificate and its private key, as PEM. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

export type Usage = 'server' | 'client'

export interface CertificateParts extends Validity {
  /** `CN=player,O=Example`. */
  readonly subject: string
  /** Alternative names: `DNS:localhost`, `IP:127.0.0.1`, `URI:https://…`, `email:…`. */
  readonly names: readonly string[]
  readonly usages: readonly Usage[]
}

/** Why an authority that was given cannot sign. */
export class UnusableAuthority extends Error {}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** Signs certificates: for development and tests, because its key lies beside them. */
export class Authority implements KeyPair {
  /** `permitted`: the only names and addresses that its certificates may be for. */
  static async create(subject: string, validity: Validity, permitted?: PermittedNames): Promise<Authority> {
    const keys = await newKeys()
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: subject,
      keys,
      ...wholeSeconds(validity),
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
        ...(permitted === undefined ? [] : [nameConstraints(permitted)]),
      ],
    })
    return new Authority(certificate, keys.privateKey, pemOf(certificate), await privatePem(keys.privateKey))
  }

  /** That of an earlier run. */
  static async read({ cert, key }: KeyPair): Promise<Authority> {
    const read = parsed('a certificate', () => new ReadCertificate(cert))
    const privateKey = parsed('a private key', () => createPrivateKey(key))
    if (!read.ca) throw new UnusableAuthority('the certificate is not that of an authority')
    if (!read.checkPrivateKey(privateKey)) throw new UnusableAuthority('the private key is not that of the certificate')
    if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
      throw new UnusableAuthority('the private key is not one of the curve P-256')
    const der = privateKey.export({ format: 'der', type: 'pkcs8' })
    const signingKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign'])
    return new Authority(new X509Certificate(read.raw), signingKey, cert, key)
  }

  private constructor(
    private readonly certificate: X509Certificate,
    private readonly signingKey: webcrypto.CryptoKey,
    readonly cert: string,
    readonly key: string,
  ) {}

  get notAfter(): Date {
    return this.certificate.notAfter
  }

  async issue({ subject, names, usages, ...validity }: CertificateParts): Promise<KeyPair> {
    const keys = await newKeys()
    const extensions: Extension[] = [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(usages.map(usage => PURPOSES[usage])),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await this.keyIdentifier(),
    ]
    if (names.length > 0) extensions.push(new SubjectAlternativeNameExtension(names.map(alternativeName)))
    const certificate = await X509CertificateGenerator.create({
      subject,
      issuer: this.certificate.subjectName,
      publicKey: keys.publicKey,
      signingKey: this.signingKey,
      ...wholeSeconds(validity),
      signingAlgorithm: ALGORITHM,
      extensions,
    })
    return { cert: pemOf(certificate), key: await privatePem(keys.privateKey) }
  }

  /** The identifier in our own certificate is the right one, however it was computed. */
  private keyIdentifier(): Promise<AuthorityKeyIdentifierExtension> | AuthorityKeyIdentifierExtension {
    const own = this.certificate.getExtension(SubjectKeyIdentifierExtension)
    return own === null
      ? AuthorityKeyIdentifierExtension.create(this.certificate.publicKey)
      : new AuthorityKeyIdentifierExtension(own.keyId)
  }
}

const PURPOSES = { server: ExtendedKeyUsage.serverAuth, client: ExtendedKeyUsage.clientAuth }

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

/** A certificate's times have no fractions. */
function wholeSeconds({ notBefore, notAfter }: Validity): Validity {
  return { notBefore: floored(notBefore), notAfter: floored(notAfter) }
}

function floored(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000)
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  return `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`
}

function parsed<T>(what: string, parse: () => T): T {
  try {
    return parse()
  } catch {
    // The library's words would quote what it was given.
    throw new UnusableAuthority(`${what} cannot be read`)
  }
}
