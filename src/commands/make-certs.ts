import { randomUUID } from 'node:crypto'
import { UnusableAuthority } from '../certificates/authority.js'
import { AUTHORITY, CertificateFolder } from '../certificates/certificate-folder.js'
import { inUrl, isHost } from '../certificates/certificate-names.js'
import {
  CertificateExists,
  type MadeCertificate,
  makeCertificates,
  SERVER,
} from '../certificates/development-certificates.js'
import type { CommandContext } from './command-context.js'
import { table } from './text-table.js'

export interface CertsOptions {
  readonly dir: string
  readonly host?: readonly string[]
  readonly client?: readonly string[]
  readonly days: string
  readonly force?: true
}

/** Makes certificates to try mutual TLS with, and prints how. The exit code: 0 made, 1 refused. */
export async function makeCerts(options: CertsOptions, { stdout, stderr }: CommandContext): Promise<number> {
  try {
    const made = await makeCertificates({
      folder: options.dir,
      hosts: [...new Set((options.host ?? []).map(hostOf))],
      clients: [...new Set((options.client ?? []).map(clientOf))],
      days: daysOf(options.days),
      replace: options.force === true,
      now: new Date(),
    })
    stdout.write(`${await textOf(options, made)}\n`)
    return 0
  } catch (error) {
    stderr.write(`${complaint(error)}\n`)
    return 1
  }
}

class WrongOption extends Error {}

function hostOf(given: string): string {
  if (isHost(given)) return given
  throw new WrongOption('--host must be a host name or an IP address, such as sees.example.com, without a port')
}

/** It becomes a file name, which must not be that of another file. */
function clientOf(given: string): string {
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(given))
    throw new WrongOption('--client must have 1 to 64 letters, digits, _, . and -, the first a letter or digit')
  if (/^(ca|server)$|\.key$/i.test(given))
    throw new WrongOption(`--client ${given} would have the files of something else: take another name`)
  return given
}

function daysOf(given: string): number {
  if (/^[1-9]\d{0,4}$/.test(given) && Number(given) <= 36_500) return Number(given)
  throw new WrongOption('--days must be a whole number from 1 to 36500')
}

function complaint(error: unknown): string {
  if (error instanceof WrongOption) return error.message
  if (error instanceof CertificateExists)
    return `${error.message}. --force replaces it; --client with another name makes one beside it.`
  if (error instanceof UnusableAuthority)
    return `${error.message}. Name another folder with --dir, or remove both files of this authority for a new one.`
  // The system's own words name the file and what is wrong with it.
  if (error instanceof Error && 'code' in error) return error.message
  throw error
}

/** A client's subject is what ENTITLEMENT_CLIENTS knows it by. */
const KINDS = { authority: 'the authority: ', server: 'a server: ', client: 'a client: CN=' }

async function textOf({ dir }: CertsOptions, made: readonly MadeCertificate[]): Promise<string> {
  const rows = made.map(({ kind, files, names, until }) => [
    ...[files.cert, files.key, `${KINDS[kind]}${names.join(', ')}`, until.toISOString().slice(0, 10)],
  ])
  const folder = new CertificateFolder(dir)
  const host = await folder.firstHost(SERVER)
  return [
    table([['certificate', 'private key', 'of', 'until'], ...rows]),
    'For development only: anyone who reads the private key of the authority can make certificates in any name.',
    ...(host === undefined ? [] : use(folder, host, made)),
  ].join('\n\n')
}

/** What to set, and what to ask then. */
function use(folder: CertificateFolder, host: string, made: readonly MadeCertificate[]): string[] {
  const [authority, server] = [folder.files(AUTHORITY), folder.files(SERVER)]
  const settings = [
    `ENTITLEMENT_PORT=${PORT}`,
    `ENTITLEMENT_TLS_CERT=${quoted(server.cert)}`,
    `ENTITLEMENT_TLS_KEY=${quoted(server.key)}`,
    `ENTITLEMENT_CLIENT_CA=${quoted(authority.cert)}`,
  ]
  const requests = made
    .filter(({ kind }) => kind === 'client')
    .map(({ files }) => [
      `curl --cacert ${quoted(authority.cert)} --cert ${quoted(files.cert)} --key ${quoted(files.key)} \\`,
      `  https://${inUrl(host.replace('*', 'any'))}:${PORT}/entitlement -H 'Content-Type: application/json' \\`,
      `  -d '{"messageID":"${randomUUID()}","version":1,"contentID":"${SOME_CONTENT}"}'`,
    ])
  return [
    `The settings of the entitlement service, for .env or the shell:\n\n${settings.join('\n')}`,
    ...requests.map(lines => `A request to it:\n\n${lines.join('\n')}`),
  ]
}

const PORT = 8443
/** That of the examples in the documentation. */
const SOME_CONTENT = '3f2504e0-4f89-11d3-9a0c-0305e82c3301'

/** As the shell and `.env` read it. */
function quoted(path: string): string {
  if (/^[\w./~@%+:-]+$/.test(path)) return path
  return path.includes("'") ? `"${path.replace(/["$`\\]/g, '\\$&')}"` : `'${path}'`
}
