import { Authority, UnusableAuthority, type Usage } from './authority.js'
import { AUTHORITY, CertificateFolder, type PairOfFiles } from './certificate-folder.js'
import { alternativeNameOf } from './certificate-names.js'

export interface CertificateOrder {
  readonly folder: string
  /** Names and addresses of the server; without any those of this machine, when a server's certificate is due at all. */
  readonly hosts: readonly string[]
  /** Names of clients, and of their files; without any one of the name `player`. */
  readonly clients: readonly string[]
  readonly days: number
  /** Whether to replace existing files. Those of the authority are never replaced. */
  readonly replace: boolean
  readonly now: Date
}

export interface MadeCertificate {
  readonly kind: 'authority' | Usage
  readonly files: PairOfFiles
  /** Whom it names. */
  readonly names: readonly string[]
  readonly until: Date
}

/** A certificate exists, and `replace` is off. */
export class CertificateExists extends Error {}

export const SERVER = 'server'
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1'] as const

const DEFAULT_CLIENT = { file: 'client', name: 'player' }
const AUTHORITY_NAME = 'ExpressPlay token backend development authority'
const AUTHORITY_DAYS = 3650
const DAY_MS = 86_400_000
/** The clock of another machine may be behind ours. */
const SKEW_MS = 3_600_000

interface Wanted {
  readonly file: string
  readonly usage: Usage
  readonly commonName: string
  readonly names: readonly string[]
}

/** Makes the ordered certificates; all kinds if none is named, or if the authority is new. A new authority is first in the list. */
export async function makeCertificates(order: CertificateOrder): Promise<readonly MadeCertificate[]> {
  const folder = new CertificateFolder(order.folder)
  const former = await folder.authority()
  if (former !== undefined && former.notAfter <= order.now)
    throw new UnusableAuthority(
      `${folder.files(AUTHORITY).cert}: the authority ended on ${former.notAfter.toISOString()}`,
    )
  const wanted = wantedBy(order, former === undefined)
  const existing = order.replace ? [] : wanted.flatMap(({ file }) => folder.existing(file))
  if (existing.length > 0) throw new CertificateExists(`${existing.join(', ')}: there already`)

  const made: MadeCertificate[] = []
  const authority = former ?? (await newAuthority(order))
  if (former === undefined) {
    const files = await folder.keep(AUTHORITY, authority, { replace: false })
    made.push({ kind: 'authority', files, names: [AUTHORITY_NAME], until: authority.notAfter })
  }
  for (const one of wanted) {
    const notAfter = untilOf(order, authority)
    const pair = await authority.issue({
      subject: `CN=${one.commonName}`,
      names: one.names.map(alternativeNameOf),
      usages: [one.usage],
      notBefore: fromOf(order),
      notAfter,
    })
    const files = await folder.keep(one.file, pair, order)
    made.push({ kind: one.usage, files, names: one.usage === 'server' ? one.names : [one.commonName], until: notAfter })
  }
  return made
}

function wantedBy({ hosts, clients }: CertificateOrder, isNew: boolean): readonly Wanted[] {
  const isAll = isNew || hosts.length + clients.length === 0
  const server: Wanted = {
    file: SERVER,
    usage: 'server',
    commonName: 'entitlement service',
    names: hosts.length > 0 ? hosts : LOCAL_HOSTS,
  }
  const named = clients.map(name => ({ file: name, name }))
  const due = named.length === 0 && isAll ? [DEFAULT_CLIENT] : named
  return [
    ...(hosts.length > 0 || isAll ? [server] : []),
    ...due.map(({ file, name }): Wanted => ({ file, usage: 'client', commonName: name, names: [] })),
  ]
}

function newAuthority(order: CertificateOrder): Promise<Authority> {
  const notAfter = later(order.now, Math.max(order.days, AUTHORITY_DAYS))
  return Authority.create(`CN=${AUTHORITY_NAME}`, { notBefore: fromOf(order), notAfter })
}

function fromOf({ now }: CertificateOrder): Date {
  return new Date(now.getTime() - SKEW_MS)
}

/** Nothing outlives the authority that signed it. */
function untilOf({ now, days }: CertificateOrder, { notAfter }: Authority): Date {
  const wanted = later(now, days)
  return wanted < notAfter ? wanted : notAfter
}

function later(now: Date, days: number): Date {
  return new Date(now.getTime() + days * DAY_MS)
}
