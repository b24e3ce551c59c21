import { webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  PemConverter,
  X509CertificateGenerator,
} from '../../src/certificates/x509-library.js'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

export interface ChainTimes {
  readonly notBefore: Date
  readonly notAfter: Date
  /** Of the root and of the intermediate, where they end earlier. */
  readonly rootNotAfter?: Date
  readonly intermediateNotAfter?: Date
}

export interface ChainParts extends ChainTimes {
  /** How many authorities may be between the root and a client. */
  readonly rootPathLength?: number
  /** Beside those that every certificate of its kind has. */
  readonly intermediateExtensions?: readonly Extension[]
  readonly clientExtensions?: readonly Extension[]
}

/** A root, an intermediate by it, and a client by the intermediate, as PEM. */
export async function authorityChain({
  notBefore,
  notAfter,
  rootNotAfter,
  intermediateNotAfter,
  rootPathLength,
  intermediateExtensions = [],
  clientExtensions = [],
}: ChainParts) {
  const [rootKeys, middleKeys, clientKeys] = await Promise.all([newKeys(), newKeys(), newKeys()])
  const common = { notBefore, notAfter, signingAlgorithm: ALGORITHM }
  const root = await X509CertificateGenerator.createSelfSigned({
    ...common,
    name: 'CN=Root',
    keys: rootKeys,
    notAfter: rootNotAfter ?? notAfter,
    extensions: [new BasicConstraintsExtension(true, rootPathLength, true)],
  })
  const intermediate = await X509CertificateGenerator.create({
    ...common,
    subject: 'CN=Intermediate',
    issuer: root.subjectName,
    publicKey: middleKeys.publicKey,
    signingKey: rootKeys.privateKey,
    notAfter: intermediateNotAfter ?? notAfter,
    extensions: [new BasicConstraintsExtension(true, 0, true), ...intermediateExtensions],
  })
  const client = await X509CertificateGenerator.create({
    ...common,
    subject: 'CN=player,O=Example',
    issuer: intermediate.subjectName,
    publicKey: clientKeys.publicKey,
    signingKey: middleKeys.privateKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
      ...clientExtensions,
    ],
  })
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', clientKeys.privateKey), 'PRIVATE KEY')
  const [rootPem, intermediatePem, cert] = [root, intermediate, client].map(one => `${one.toString('pem')}\n`)
  return { root: rootPem ?? '', intermediate: intermediatePem ?? '', client: { cert: cert ?? '', key } }
}

function newKeys() {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}
