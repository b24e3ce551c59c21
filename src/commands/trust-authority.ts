import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { makeFolder, writeDurably } from '../ground/files.js'
import type { CommandContext } from './command-context.js'
import { NoAnswer } from './no-answer.js'
import { serverAuthority } from './server-authority.js'
import { type AuthorityFile, SYSTEM_TRUST, SYSTEMS, type System, type SystemTrust, systemOfHere } from './systems.js'

export interface TrustOptions {
  readonly url?: string
  readonly system?: System
  readonly install?: true
  readonly uninstall?: true
}

/**
 * Prints the commands by which an operating system trusts the authority, or no longer does; on that system it runs them
 * when asked to. The exit code: 0 done, 1 not done, 2 no answer from the server.
 */
export async function trustAuthority(options: TrustOptions, context: CommandContext): Promise<number> {
  const { stdout, stderr } = context
  const here = systemOfHere()
  const system = options.system ?? here
  if (system === undefined) {
    stderr.write(`This system is not known. Name one that is like it: --system ${SYSTEMS.join('|')}\n`)
    return 1
  }
  const trust = SYSTEM_TRUST[system]
  const commands = await commandsOf(options, trust, context.env).catch(onlyNoAnswer)
  if (commands instanceof NoAnswer) {
    stderr.write(`${commands.message}\n`)
    return 2
  }
  const isToRun = options.install === true || options.uninstall === true
  if (isToRun && system === here) return runAll(commands, stderr)
  stdout.write(commands.map(command => `${textOf(command, trust)}\n`).join(''))
  stderr.write(`These commands are for an administrator of ${trust.title}.${isToRun ? ' They were not run.' : ''}\n`)
  return isToRun ? 1 : 0
}

async function commandsOf({ url, uninstall }: TrustOptions, trust: SystemTrust, env: NodeJS.ProcessEnv) {
  const authority = await authorityFile(url, env)
  const commands = uninstall ? trust.remove(authority) : trust.add(authority)
  return trust.isUnix && process.getuid?.() !== 0 ? commands.map(command => ['sudo', ...command]) : commands
}

async function authorityFile(url: string | undefined, env: NodeJS.ProcessEnv): Promise<AuthorityFile> {
  const { ca, folder } = await serverAuthority(url, env)
  const place = resolve(folder ?? mkdtempSync(join(tmpdir(), 'expressplay-token-backend-')))
  const path = join(place, 'ca.pem')
  makeFolder(place)
  writeDurably({ path, text: ca, mode: 0o644, replace: true })
  return { path, sha1: new X509Certificate(ca).fingerprint.replaceAll(':', '') }
}

function onlyNoAnswer(error: unknown): NoAnswer {
  if (error instanceof NoAnswer) return error
  throw error
}

function runAll(commands: readonly (readonly string[])[], stderr: CommandContext['stderr']): number {
  for (const command of commands) {
    const [name = '', ...args] = command
    const { status, error } = spawnSync(name, args, { stdio: 'inherit' })
    if (status === 0) continue
    stderr.write(`${command.join(' ')} failed: ${error?.message ?? `exit code ${status}`}\n`)
    return 1
  }
  return 0
}

/** As the system's shell reads it; no file name on Windows has a quotation mark. */
function textOf(command: readonly string[], { isUnix }: SystemTrust): string {
  const quote = (word: string) => (isUnix ? `'${word.replaceAll("'", "'\\''")}'` : `"${word}"`)
  return command.map(word => ((isUnix ? PLAIN : PLAIN_ON_WINDOWS).test(word) ? word : quote(word))).join(' ')
}

const PLAIN = /^[\w./~@%+:-]+$/
const PLAIN_ON_WINDOWS = /^[\w./\\:-]+$/
