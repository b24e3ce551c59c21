import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { makeNamespace, type Namespace, type NamespaceOptions, whyNoNamespace } from '../namespace.js'

/** A small file system in memory, mounted where only the processes of its namespace see it. */
export interface SmallDisk {
  /** What a command begins with that shall see the disk. */
  readonly within: Namespace['within']
  /** The disk's folder, as the test sees it. */
  readonly folder: string
  /** Takes all the space that is left. */
  fill(): void
  /** Gives it back. */
  empty(): void
}

const smallDiskAt = (mountPoint: string, mebibytes: number): NamespaceOptions => ({
  kinds: ['--mount'],
  script: 'mount -t tmpfs -o "size=$2m" tmpfs "$1"',
  parameters: [mountPoint, String(mebibytes)],
})

/** Why there can be none here, if so: for tests to skip themselves. */
export async function whyNoSmallDisk(): Promise<string | false> {
  const folder = await mkdtemp(join(tmpdir(), 'small-disk-'))
  const reason = await whyNoNamespace(smallDiskAt(folder, 1))
  await rm(folder, { recursive: true })
  return reason
}

/** Mounts a disk at an empty folder. It is gone after the test, or after a process that dies in it. */
export async function mountSmallDisk(t: Test, mountPoint: string, mebibytes: number): Promise<SmallDisk> {
  const { within, pid, close } = await makeNamespace(smallDiskAt(mountPoint, mebibytes))
  t.teardown(close)
  const folder = `/proc/${pid}/root${mountPoint}`
  const ballast = join(folder, 'ballast')
  return {
    within,
    folder,
    fill: () => {
      const file = openSync(ballast, 'a')
      for (const bytes of [1024 * 1024, 4096]) writeUntilFull(file, Buffer.alloc(bytes))
      closeSync(file)
    },
    empty: () => rmSync(ballast),
  }
}

function writeUntilFull(file: number, bytes: Buffer): void {
  try {
    for (;;) writeSync(file, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error // Node's errors have a code
  }
}
