import { existsSync, mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes a folder and those above it. Node's own `recursive` never ends where nothing can be made in a folder that is
 * there, as in /proc.
 */
export function makeFolder(given: string): void {
  const path = resolve(given)
  if (existsSync(path)) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path)
  } catch (error) {
    // Another process makes it, too.
    if (!existsSync(path)) throw error
  }
}
