import { type ChildProcess, fork, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { AccountInput } from '../schemas/accounts-file.js'
import type { Settings } from '../src/config/setting-groups.js'
import { builtFile } from '../src/ground/own-package.js'
import { mainThreadMicroseconds, processMicroseconds, residentMegabytes } from './process-figures.js'

export interface RunningServer {
  readonly url: string
  /** Resident memory in MB. */
  residentMegabytes(): number
  /** Processor time of the main thread so far. */
  mainThreadMicroseconds(): number
  /** Processor time of all its threads so far. */
  processMicroseconds(): number
  /** Ends it as a deployment would, and waits until it has. */
  stop(): Promise<void>
}

export interface ServiceOptions {
  readonly settings?: Settings
  readonly accounts?: readonly AccountInput[]
  /** The core that it keeps to. */
  readonly core?: number
  /** Whether it does without its cache of compiled code. */
  readonly compilesAnew?: boolean
  /** Whether Node has the image's options; docs/container.md advises against them where speed counts more than memory. */
  readonly savesMemory?: boolean
}

/** As in the image (docker/Dockerfile): for little memory. */
export const IMAGE_NODE_OPTIONS: readonly string[] = [
  '--max-semi-space-size=4',
  '--heap-growing-percent=70',
  '--no-maglev',
]
const ENVIRONMENT = { MALLOC_ARENA_MAX: '2' }

/** The service as users start it, on this database: the program of the package, with its log. */
export async function startService(
  databaseUrl: string,
  { settings, accounts, core, compilesAnew, savesMemory = true }: ServiceOptions = {},
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
  if (compilesAnew === true) env.NODE_DISABLE_COMPILE_CACHE = '1'
  const pinned = core === undefined ? [] : ['taskset', '-c', String(core)]
  const nodeOptions = savesMemory ? IMAGE_NODE_OPTIONS : []
  const [command = '', ...args] = [...pinned, process.execPath, ...nodeOptions, builtFile('cli.js'), 'serve']
  const options = { cwd: folder, env: { PATH: process.env.PATH, ...ENVIRONMENT, ...env } }
  const stdio: StdioOptions = ['ignore', toNowhere(), 'pipe']
  const child = spawn(command, args, { ...options, stdio })
  const url = await urlIn(child.stderr)
  rmSync(folder, { recursive: true })
  return running(child, url)
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

/** A server in a process of its own, which sends its URL when it listens. What it logs goes to /dev/null. */
export async function startProcess(script: string, ...args: string[]): Promise<RunningServer> {
  const child = fork(pathOf(script), args, { stdio: ['ignore', toNowhere(), 'inherit', 'ipc'] })
  const [url] = (await once(child, 'message')) as [string] // they send nothing else
  return running(child, url)
}

function toNowhere(): number {
  return openSync('/dev/null', 'w')
}

function pathOf(script: string): string {
  return fileURLToPath(new URL(script, import.meta.url))
}

function running(child: ChildProcess, url: string): RunningServer {
  const { pid = 0 } = child // it runs
  const end = () => child.kill()
  process.once('exit', end) // where a part has failed
  child.once('exit', () => process.off('exit', end))
  return {
    url,
    residentMegabytes: () => residentMegabytes(pid),
    mainThreadMicroseconds: () => mainThreadMicroseconds(pid),
    processMicroseconds: () => processMicroseconds(pid),
    stop: async () => {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}

/** Runs a script in a process of its own until it has ended, and returns what it sent. */
export async function runToEnd(script: string, ...args: string[]): Promise<unknown> {
  let sent: unknown
  const child = fork(pathOf(script), args)
  child.once('message', message => {
    sent = message
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${script} ended with ${code}`)
  return sent
}
