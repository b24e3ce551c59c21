import { spawnSync } from 'node:child_process'

/** Installs packages of Debian or Ubuntu, where that takes neither a password nor an answer. */
export function installPackages(packages: readonly string[], announce: (command: string) => void): void {
  const first = aptPrefix()
  if (first === undefined) return
  const [command = '', ...aptGet] = [
    ...first,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-o',
    'Acquire::http::Timeout=20',
    '-o',
    'DPkg::Lock::Timeout=60',
  ]
  announce(`apt-get install ${packages.join(' ')}`)
  for (const step of [['update'], ['install', '--yes', '--no-install-recommends', ...packages]])
    spawnSync(command, [...aptGet, ...step], { stdio: 'ignore' })
}

/** What apt-get has to be started with, where it can be. */
function aptPrefix(): string[] | undefined {
  const isThere = spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0
  if (process.platform !== 'linux' || !isThere) return undefined
  if (process.getuid?.() === 0) return []
  const isAllowed = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0
  return isAllowed ? ['sudo', '-n'] : undefined
}
