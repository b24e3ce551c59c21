import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A server in a process of its own, which tells its port when it listens. What it logs goes to /dev/null. */
export async function startProcess(script: string, ...args: string[]): Promise<{ child: ChildProcess; port: number }> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = fork(path, args, { stdio: ['ignore', openSync('/dev/null', 'w'), 'inherit', 'ipc'] })
  const [port] = (await once(child, 'message')) as [number] // both servers send nothing else
  return { child, port }
}

/** Resident memory in MB, as Linux counts it. */
export function residentMegabytes({ pid }: ChildProcess): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kilobytes) / 102.4) / 10
}
