import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { type Clock, machineClock, type Timer } from '../ground/clock.js'
import { hasCode, makeFolder } from '../ground/files.js'
import { isRealHost, REAL_DOMAINS, realHosts } from '../ground/real-hosts.js'
import { Authority } from './authority.js'
import { TLS_VERSIONS } from './certificate-files.js'
import { AUTHORITY, CertificateFolder } from './certificate-folder.js'
import { alternativeNameOf, isHost } from './certificate-names.js'
import type { Network, PermittedNames } from './name-constraints.js'
import type { ServedCertificates } from './served-certificates.js'

const DAY_MS = 86_400_000
const AUTHORITY_DAYS = 3650
/** A stolen leaf is of little use, and a client whose clock is a day off still accepts it. */
const LEAF_DAYS = 7
const SKEW_MS = DAY_MS
/** Only names of the table get a leaf of their own, but some domains of it have any number of names. */
const MOST_LEAVES = 100

const AUTHORITY_NAME = 'ExpressPlay token backend local authority'

/** The real service's names, names reserved for local use (RFC 6761, 6762, 9476), and this machine's: no public ones of others. */
function permitted(): PermittedNames {
  return { domains: [...REAL_DOMAINS, 'localhost', 'local', 'internal', 'test', hostname()], networks: PRIVATE }
}

const PRIVATE: readonly Network[] = [
  { version: 4, beginning: [127], bits: 8 },
  { version: 4, beginning: [10], bits: 8 },
  { version: 4, beginning: [172, 16], bits: 12 },
  { version: 4, beginning: [192, 168], bits: 16 },
  { version: 4, beginning: [169, 254], bits: 16 },
  { version: 6, beginning: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], bits: 128 },
  { version: 6, beginning: [0xfc], bits: 7 },
  { version: 6, beginning: [0xfe, 0x80], bits: 10 },
]

/** TLS goes by the machine's clock. */
const MACHINE: Clock = machineClock()

/** `TLS=development`: certificates by an authority of our own, which is made once and stays in the data directory. */
export class LocalCertificates implements ServedCertificates {
  /** `dataDirectory`: empty for an authority that ends with the process. */
  static async open(dataDirectory: string): Promise<LocalCertificates> {
    const authority = await authorityIn(dataDirectory, MACHINE.now())
    const certificates = new LocalCertificates(authority, namesOfHere())
    await certificates.#renew()
    return certificates
  }

  readonly #leaves = new Map<string, Promise<SecureContext>>()
  readonly #renewed: (() => void)[] = []
  readonly #timer: Timer
  #current: SecureContextOptions = {}

  private constructor(
    private readonly authority: Authority,
    private readonly names: readonly string[],
  ) {
    this.#timer = MACHINE.every((LEAF_DAYS * DAY_MS) / 4, () => void this.#renew())
  }

  get ca(): string {
    return this.authority.cert
  }

  get current(): SecureContextOptions {
    return this.#current
  }

  /** Names of the table that the leaf for all does not have. */
  async contextFor(name: string): Promise<SecureContext | undefined> {
    const host = name.toLowerCase()
    if (this.names.includes(host) || !isRealHost(host) || !isHost(host)) return undefined
    const known = this.#leaves.get(host)
    if (known !== undefined) return known
    if (this.#leaves.size >= MOST_LEAVES) this.#leaves.clear()
    const made = this.#leaf([host]).then(createSecureContext)
    this.#leaves.set(host, made)
    made.catch(() => this.#leaves.delete(host))
    return made
  }

  onRenewal(renewed: () => void): void {
    this.#renewed.push(renewed)
  }

  close(): void {
    this.#timer.cancel()
  }

  async #renew(): Promise<void> {
    this.#current = await this.#leaf(this.names)
    this.#leaves.clear()
    for (const renewed of this.#renewed) renewed()
  }

  async #leaf(names: readonly string[]): Promise<SecureContextOptions> {
    const now = MACHINE.now()
    const { cert, key } = await this.authority.issue({
      subject: 'CN=ExpressPlay token backend',
      names: names.map(alternativeNameOf),
      usages: ['server'],
      notBefore: new Date(now - SKEW_MS),
      notAfter: new Date(now + LEAF_DAYS * DAY_MS),
    })
    return { cert: cert + this.authority.cert, key, ...TLS_VERSIONS }
  }
}

/** The certificate of the authority in a data directory, which is made if there is none. */
export async function localAuthority(dataDirectory: string): Promise<string> {
  return (await authorityIn(dataDirectory, MACHINE.now())).cert
}

/** Where the server may be reached: under the names of the real service, and those of this machine. */
function namesOfHere(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap(found => found?.map(({ address }) => address) ?? [])
  const own = ['localhost', hostname().toLowerCase(), '127.0.0.1', '::1', ...addresses.filter(isPrivate)]
  return [...new Set([...own, ...realHosts()])].filter(isHost)
}

const PRIVATE_ADDRESS = /^(?:127\.|10\.|172\.(?:1[6-9]|2\d|3[01])\.|192\.168\.|169\.254\.|::1$|f[cd])/

function isPrivate(address: string): boolean {
  return PRIVATE_ADDRESS.test(address)
}

async function authorityIn(dataDirectory: string, now: number): Promise<Authority> {
  if (dataDirectory === '') return newAuthority(now)
  makeFolder(dataDirectory)
  const folder = new CertificateFolder(join(dataDirectory, 'tls'))
  const former = await folder.authority()
  if (former !== undefined && former.notAfter.getTime() > now + LEAF_DAYS * DAY_MS) return former
  const made = await newAuthority(now)
  try {
    await folder.keep(AUTHORITY, made, { replace: former !== undefined })
    return made
  } catch (error) {
    const others = hasCode(error, 'EEXIST') ? await folder.authority() : undefined
    if (others === undefined) throw error
    return others
  }
}

function newAuthority(now: number): Promise<Authority> {
  const validity = { notBefore: new Date(now - SKEW_MS), notAfter: new Date(now + AUTHORITY_DAYS * DAY_MS) }
  return Authority.create(`CN=${AUTHORITY_NAME}`, validity, permitted())
}
