import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

export interface DurableFile {
  readonly path: string
  readonly text: string
  readonly mode: number
  /** Otherwise a file that is there stays, and writing throws EEXIST. */
  readonly replace: boolean
}

/**
 * Writes a file that others see whole or not at all, and that is on the disk afterwards. Its draft is in the same
 * folder, under a random name: in containers all processes have the same id.
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

/** Removes what processes left that were killed while they wrote this file. */
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
