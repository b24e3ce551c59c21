import { element, SEQUENCE } from './der.js'
import { Extension } from './x509-library.js'

/** The names and addresses that an authority may sign for: what is not below them, no client accepts. */
export interface PermittedNames {
  /** Each with all names below it. */
  readonly domains: readonly string[]
  readonly networks: readonly Network[]
}

/** The addresses that begin with these bits. */
export interface Network {
  readonly version: 4 | 6
  readonly beginning: readonly number[]
  readonly bits: number
}

const OID = '2.5.29.30'

/** Critical, so that a client that does not know it accepts nothing of the authority (RFC 5280, 4.2.1.10). */
export function nameConstraints({ domains, networks }: PermittedNames): Extension {
  const bases = [
    ...domains.map(domain => element(DNS_NAME, Buffer.from(domain))),
    ...networks.map(network => element(IP_ADDRESS, addressOf(network), maskOf(network))),
  ]
  const permitted = element(PERMITTED, ...bases.map(base => element(SEQUENCE, base)))
  return new Extension(OID, true, element(SEQUENCE, permitted))
}

const PERMITTED = 0xa0
const DNS_NAME = 0x82
const IP_ADDRESS = 0x87

const SIZES = { 4: 4, 6: 16 } as const

function addressOf({ version, beginning }: Network): Buffer {
  return Buffer.from(Array.from({ length: SIZES[version] }, (_, index) => beginning[index] ?? 0))
}

function maskOf({ version, bits }: Network): Buffer {
  const ones = (index: number) => Math.min(8, Math.max(0, bits - 8 * index))
  return Buffer.from(Array.from({ length: SIZES[version] }, (_, index) => 0xff00 >> ones(index)))
}
