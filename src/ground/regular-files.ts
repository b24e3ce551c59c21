import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'

/** Of certificates and keys: many times what the authorities of a whole system take. */
export const LARGEST_PEM = 4 * 1024 * 1024

/** Opening a pipe that nobody writes to would wait for a writer. Windows has no such flag. */
const WITHOUT_WAITING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/** The content of a regular file, in UTF-8. Throws with the code `NOT_A_FILE` or `TOO_LARGE` where it is none, or too large. */
export function readRegularFile(path: string, mostBytes: number): string {
  const descriptor = openSync(path, WITHOUT_WAITING)
  try {
    requireRegular(fstatSync(descriptor), mostBytes)
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}

/** The same for a large file, without holding up others. */
export async function readLargeFile(path: string, mostBytes: number): Promise<Buffer> {
  const file = await open(path, WITHOUT_WAITING)
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
