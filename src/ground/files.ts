import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

export interface DurableFile {
  readonly path: string
  readonly text: string | Buffer
  readonly mode: number
  /** Otherwise an existing file stays, and writing throws EEXIST. */
  readonly replace: boolean
}

/**
 * Writes a file atomically and durably. Its draft is in the same folder, under a random name: in containers all processes
 * have the same id.
 */
export function writeDurably(file: DurableFile): void {
  const draft = `${file.path}.${randomUUID()}.draft`
  let isPublished: boolean
  try {
    writeDraft(draft, file)
    isPublished = publish(draft, file)
  } finally {
    rmSync(draft, { force: true })
  }
  if (isPublished) {
    removeDrafts(file.path)
    syncFolder(dirname(file.path))
  } else writeDurably(file)
}

function writeDraft(draft: string, { text, mode }: DurableFile): void {
  const file = openSync(draft, 'wx', mode)
  try {
    writeFileSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** `false`: another process has published its own, and removed this draft as a stale one. */
function publish(draft: string, { path, replace }: DurableFile): boolean {
  try {
    if (replace) renameSync(draft, path)
    else linkSync(draft, path)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/** Deletes drafts of this file that killed processes left. */
export function removeDrafts(path: string): void {
  const prefix = `${basename(path)}.`
  const folder = dirname(path)
  for (const name of readdirSync(folder))
    if (name.startsWith(prefix) && DRAFT.test(name.slice(prefix.length))) rmSync(join(folder, name), { force: true })
}

const DRAFT = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.draft$/

/** So that the file's name is on the disk, too. Windows opens no folders, and some file systems sync none. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } catch (error) {
    if (!hasCode(error, 'EINVAL')) throw error
  } finally {
    closeSync(folder)
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/**
 * Creates a folder and its parents. Node's `recursive` never returns where an existing parent refuses new folders, as in
 * /proc.
 */
export function makeFolder(given: string): void {
  const path = resolve(given)
  if (existsSync(path)) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path)
  } catch (error) {
    // Another process has created it.
    if (!existsSync(path)) throw error
  }
}

/** Of certificates and keys: many times what the authorities of a whole system take. */
export const LARGEST_PEM = 4 * 1024 * 1024

/** Opening a pipe without a writer would block. Windows has no such flag. */
const READ_NON_BLOCKING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/** The content of a regular file, in UTF-8. Throws with the code `NOT_A_FILE` or `TOO_LARGE` otherwise. */
export function readRegularFile(path: string, mostBytes: number): string {
  const descriptor = openSync(path, READ_NON_BLOCKING)
  try {
    requireRegular(fstatSync(descriptor), mostBytes)
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}

/** The same for a large file, without blocking the event loop. */
export async function readLargeFile(path: string, mostBytes: number): Promise<Buffer> {
  const file = await open(path, READ_NON_BLOCKING)
  try {
    requireRegular(await file.stat(), mostBytes)
    return await file.readFile()
  } finally {
    await file.close()
  }
}

function requireRegular(stats: Stats, mostBytes: number): void {
  const code = stats.isDirectory() ? 'EISDIR' : !stats.isFile() ? 'NOT_A_FILE' : stats.size > mostBytes && 'TOO_LARGE'
  if (code !== false) throw Object.assign(new Error(code), { code })
}
