import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

/** A small file system in memory, mounted where only the processes of its namespace see it. */
export interface SmallDisk {
  /** What a command begins with that shall see the disk. */
  readonly within: readonly [command: string, ...args: string[]]
  /** The disk's folder, as the test sees it. */
  readonly folder: string
  /** Takes all the space that is left. */
  fill(): void
  /** Gives it back. */
  empty(): void
}

/** Why there can be none here, if so: for tests to skip themselves. */
export async function whyNoSmallDisk(): Promise<string | false> {
  const folder = await mkdtemp(join(tmpdir(), 'small-disk-'))
  try {
    const { keeper } = await startKeeper(folder, 1)
    keeper.stdin.end()
    await once(keeper, 'close')
    return false
  } catch (error) {
    return (error as Error).message // startKeeper throws nothing else
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Mounts a disk at an empty folder. It is gone after the test, or after a process that dies in it. */
export async function mountSmallDisk(t: Test, mountPoint: string, mebibytes: number): Promise<SmallDisk> {
  const { keeper, namespaces } = await startKeeper(mountPoint, mebibytes)
  t.teardown(async () => {
    keeper.stdin.end()
    await once(keeper, 'close')
  })
  const folder = `/proc/${keeper.pid}/root${mountPoint}`
  const ballast = join(folder, 'ballast')
  return {
    within: ['nsenter', '--target', String(keeper.pid), ...namespaces],
    folder,
    fill: () => {
      const file = openSync(ballast, 'a')
      for (const bytes of [1024 * 1024, 4096]) writeUntilFull(file, Buffer.alloc(bytes))
      closeSync(file)
    },
    empty: () => rmSync(ballast),
  }
}

/** Root may mount; and who is nobody special is root of a namespace of their own. */
const WAYS = [
  { make: ['--mount'], namespaces: ['--mount'] },
  {
    make: ['--mount', '--user', '--map-root-user'],
    namespaces: ['--mount', '--user', '--preserve-credentials'],
  },
]

/** A process that keeps the namespace for as long as its input is open. */
async function startKeeper(mountPoint: string, mebibytes: number) {
  const mount = `mount -t tmpfs -o size=${mebibytes}m tmpfs "$1" && echo mounted && read -r _`
  const faults: string[] = []
  for (const { make, namespaces } of WAYS) {
    const keeper = spawn('unshare', [...make, '/bin/sh', '-c', mount, 'keeper', mountPoint])
    const fault = await faultOf(keeper)
    if (fault === undefined) return { keeper, namespaces }
    faults.push(`unshare ${make.join(' ')}: ${fault}`)
  }
  throw new Error(
    'it may not mount a small disk: run it on Linux as root, or where users may have namespaces of their own ' +
      `(in a container: --cap-add SYS_ADMIN). ${faults.join('; ')}`,
  )
}

/** Why it ended, unless it says that it has mounted. */
async function faultOf(keeper: ChildProcessWithoutNullStreams): Promise<string | undefined> {
  const complaint = text(keeper.stderr)
  const mounted = once(keeper.stdout, 'data').then(() => undefined)
  const ended = once(keeper, 'close').then(
    () => complaint,
    (error: Error) => error.message,
  )
  return Promise.race([mounted, ended])
}

function writeUntilFull(file: number, bytes: Buffer): void {
  try {
    for (;;) writeSync(file, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error // Node's errors have a code
  }
}
