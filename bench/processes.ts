import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { AccountInput } from '../schemas/accounts-file.js'
import type { Settings } from '../src/config/setting-groups.js'
import { builtFile } from '../src/ground/own-package.js'

export interface RunningServer {
  readonly url: string
  /** Resident memory in MB, as Linux counts it. */
  residentMegabytes(): number
  /** Processor time of the main thread so far, user and system, as Linux counts it. */
  mainThreadMilliseconds(): number
  /** Ends it as a deployment would, and waits until it has. */
  stop(): Promise<void>
}

/** The service as users start it, on this database: the program of the package, with its log. */
export async function startService(
  databaseUrl: string,
  { settings, accounts }: ServiceOptions = {},
): Promise<RunningServer> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const accountsFile = join(folder, 'accounts.json')
  if (accounts !== undefined) writeFileSync(accountsFile, JSON.stringify({ accounts }))
  const given: Settings = {
    PORT: 0,
    DATA_DIR: '',
    ...settings,
    DATABASE_URL: databaseUrl,
    ...(accounts !== undefined && { ACCOUNTS_FILE: accountsFile }),
  }
  const env = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]))
  const options = { cwd: folder, env: { PATH: process.env.PATH, ...env } }
  const child = spawn(process.execPath, [builtFile('cli.js'), 'serve'], {
    ...options,
    stdio: ['ignore', toNowhere(), 'pipe'],
  })
  const url = await urlIn(child.stderr)
  rmSync(folder, { recursive: true })
  return running(child, url)
}

export interface ServiceOptions {
  readonly settings?: Settings
  readonly accounts?: readonly AccountInput[]
}

/** Where it says that it listens; what has more than one port is loaded at the entitlement service's. */
async function urlIn(banner: Readable | null): Promise<string> {
  let text = ''
  for await (const part of banner ?? []) {
    text += part
    const [, listening] = /listening on +(\S+)/.exec(text) ?? []
    const [, entitlement] = /entitlement +(\S+)\/entitlement/.exec(text) ?? []
    // The accounts stand behind every address.
    if (listening !== undefined && /\n +(?:accounts|database) /.test(text)) return entitlement ?? listening
  }
  throw new Error(`the service did not start: ${text}`)
}

/** A server in a process of its own, which tells its URL when it listens. What it logs goes to /dev/null. */
export async function startProcess(script: string, ...args: string[]): Promise<RunningServer> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = fork(path, args, { stdio: ['ignore', toNowhere(), 'inherit', 'ipc'] })
  const [url] = (await once(child, 'message')) as [string] // they send nothing else
  return running(child, url)
}

function toNowhere(): number {
  return openSync('/dev/null', 'w')
}

function running(child: ChildProcess, url: string): RunningServer {
  return {
    url,
    residentMegabytes: () => residentMegabytes(child),
    mainThreadMilliseconds: () => mainThreadMilliseconds(child),
    stop: async () => {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}

/** Runs a script in a process of its own, and waits until it has ended. */
export async function runToEnd(script: string, ...args: string[]): Promise<void> {
  const [code] = await once(fork(fileURLToPath(new URL(script, import.meta.url)), args), 'exit')
  if (code !== 0) throw new Error(`${script} ended with ${code}`)
}

const TICK_MS = 10

function mainThreadMilliseconds({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8')
  // Behind the name, which may have anything in it, user and system time are the 12th and 13th field.
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
  return (Number(user) + Number(system)) * TICK_MS
}

function residentMegabytes({ pid }: ChildProcess): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kilobytes) / 102.4) / 10
}
