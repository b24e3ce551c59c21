import { existsSync } from 'node:fs'
import { readRegularFile } from '../ground/files.js'

export const SYSTEMS = ['debian', 'fedora', 'macos', 'windows'] as const
export type System = (typeof SYSTEMS)[number]

/** An authority's certificate, by which systems find it again. */
export interface AuthorityFile {
  readonly path: string
  readonly sha1: string
}

type Command = readonly string[]

/** How a system is told which authorities it trusts. */
export interface SystemTrust {
  readonly title: string
  readonly isUnix: boolean
  add(authority: AuthorityFile): readonly Command[]
  remove(authority: AuthorityFile): readonly Command[]
}

const IN_DEBIAN = '/usr/local/share/ca-certificates/expressplay-token-backend.crt'
const IN_FEDORA = '/etc/pki/ca-trust/source/anchors/expressplay-token-backend.pem'
const KEYCHAIN = '/Library/Keychains/System.keychain'

export const SYSTEM_TRUST: Readonly<Record<System, SystemTrust>> = {
  debian: {
    title: 'Debian and its relatives',
    isUnix: true,
    add: ({ path }) => [['install', '-m', '644', path, IN_DEBIAN], ['update-ca-certificates']],
    remove: () => [
      ['rm', '-f', IN_DEBIAN],
      ['update-ca-certificates', '--fresh'],
    ],
  },
  fedora: {
    title: 'Fedora and its relatives',
    isUnix: true,
    add: ({ path }) => [['install', '-m', '644', path, IN_FEDORA], ['update-ca-trust']],
    remove: () => [['rm', '-f', IN_FEDORA], ['update-ca-trust']],
  },
  macos: {
    title: 'macOS',
    isUnix: true,
    add: ({ path }) => [['security', 'add-trusted-cert', '-d', '-r', 'trustRoot', '-k', KEYCHAIN, path]],
    remove: ({ path, sha1 }) => [
      ['security', 'remove-trusted-cert', '-d', path],
      ['security', 'delete-certificate', '-Z', sha1, KEYCHAIN],
    ],
  },
  windows: {
    title: 'Windows',
    isUnix: false,
    add: ({ path }) => [['certutil', '-addstore', '-f', 'Root', path]],
    remove: ({ sha1 }) => [['certutil', '-delstore', 'Root', sha1]],
  },
}

export function systemOfHere(): System | undefined {
  if (process.platform === 'darwin') return 'macos'
  if (process.platform === 'win32') return 'windows'
  const release = existsSync(OS_RELEASE) ? readRegularFile(OS_RELEASE, LARGEST_RELEASE) : ''
  const ids = (release.match(/^ID(?:_LIKE)?=.*/gm) ?? []).join(' ')
  return LINUXES.find(([family]) => family.test(ids))?.[1]
}

const OS_RELEASE = '/etc/os-release'
const LARGEST_RELEASE = 65_536
/** Alpine has Debian's commands. */
const LINUXES: readonly (readonly [RegExp, System])[] = [
  [/\b(?:debian|ubuntu|alpine)\b/, 'debian'],
  [/\b(?:fedora|rhel|centos)\b/, 'fedora'],
]
