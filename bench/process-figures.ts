import { readFileSync } from 'node:fs'

/** What Linux counts of a process. */

/** Processor time of the main thread so far, user and system, in microseconds. */
export function mainThreadMicroseconds(pid: number): number {
  const [nanoseconds] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')
  return Number(nanoseconds) / 1000
}

const TICK_MICROSECONDS = 10_000

/** Processor time of all threads so far, those that have ended too, to a hundredth of a second. */
export function processMicroseconds(pid: number): number {
  const [user, system] = statOf(pid).slice(11, 13)
  return (Number(user) + Number(system)) * TICK_MICROSECONDS
}

export function parentOf(pid: number): number {
  return Number(statOf(pid)[1])
}

/** The fields behind the name, which may have anything in it. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** Resident memory in MB. */
export function residentMegabytes(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kilobytes) / 102.4) / 10
}
