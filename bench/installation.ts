import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packageFolder } from '../src/ground/own-package.js'
import { atMost, type Row } from './table.js'

const run = promisify(execFile)

/** What `npm ci` brings into a user's project that has this package alone; from npm's cache where that has it. */
export async function benchInstallation(): Promise<Row[]> {
  const project = mkdtempSync(join(tmpdir(), 'installation-'))
  try {
    const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', project]
    const { stdout: packed } = await run('npm', pack, { cwd: packageFolder() })
    writeFileSync(join(project, 'package.json'), '{"private":true}')
    const flags = ['--prefer-offline', '--no-audit', '--no-fund']
    await run('npm', ['install', '--package-lock-only', ...flags, `./${packed.trim()}`], { cwd: project })
    await run('npm', ['ci', ...flags], { cwd: project })
    const modules = join(project, 'node_modules')
    const { packages } = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8')) as { packages: object } // npm's
    const count = Object.keys(packages).length
    const { stdout: size } = await run('du', ['-sk', modules])
    const megabytes = Number.parseInt(size, 10) / 1024
    return [
      { what: '`npm ci` in a project of a user: packages', measured: String(count), target: atMost(90, count) },
      { what: 'on the disk', measured: `${megabytes.toFixed(0)} MB`, target: atMost(60, megabytes, 'MB') },
    ]
  } finally {
    rmSync(project, { recursive: true })
  }
}
