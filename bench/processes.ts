import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { AccountInput } from '../schemas/accounts-file.js'
import type { Settings } from '../src/config/setting-groups.js'

export interface RunningServer {
  readonly url: string
  /** Resident memory in MB, as Linux counts it. */
  residentMegabytes(): number
  /** Processor time of the main thread so far, user and system, as Linux counts it. */
  mainThreadMilliseconds(): number
  /** Ends it as a deployment would, and waits until it has. */
  stop(): Promise<void>
}

/** The service, on this database. */
export function startService(databaseUrl: string, given: ServiceOptions = {}): Promise<RunningServer> {
  const settings = { ...given.settings, DATABASE_URL: databaseUrl }
  return startProcess('service.js', JSON.stringify({ ...given, settings }))
}

export interface ServiceOptions {
  readonly settings?: Settings
  readonly accounts?: readonly AccountInput[]
}

/** A server in a process of its own, which tells its URL when it listens. What it logs goes to /dev/null. */
export async function startProcess(script: string, ...args: string[]): Promise<RunningServer> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = fork(path, args, { stdio: ['ignore', openSync('/dev/null', 'w'), 'inherit', 'ipc'] })
  const [url] = (await once(child, 'message')) as [string] // they send nothing else
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
