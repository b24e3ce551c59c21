import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from '../config/config.js'
import { hasCode, makeFolder, readRegularFile, removeDrafts, writeDurably } from '../ground/files.js'
import type { Logger } from '../ground/logger.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'
import type { TokenKeys } from './vault.js'

export interface ServerTokenKeys {
  readonly keys: TokenKeys
  /** Made by this start: what was sealed before cannot be opened. */
  readonly areNew: boolean
}

/** The configured keys, or those in `token.keys` of the data directory, or one that lives as long as this process. */
export function tokenKeysOf(
  { TOKEN_KEYS, DATA_DIR }: Pick<Config, 'TOKEN_KEYS' | 'DATA_DIR'>,
  random: Randomness,
  logger: Logger,
): ServerTokenKeys {
  if (TOKEN_KEYS !== undefined) return { keys: TOKEN_KEYS, areNew: false }
  if (DATA_DIR === '') return { keys: [randomBytes(random, 32)], areNew: true }
  return storedTokenKeys(DATA_DIR, random, logger)
}

/** One in a line; a key is made on the first start. */
function storedTokenKeys(dataDirectory: string, random: Randomness, logger: Logger): ServerTokenKeys {
  const path = keyFile(dataDirectory)
  let areNew: boolean
  try {
    makeFolder(dataDirectory)
    areNew = !existsSync(path) && makeKeyFile(path, randomBytes(random, 32))
  } catch (error) {
    throw new Error(`DATA_DIR cannot be used: ${error instanceof Error ? error.message : String(error)}`)
  }
  requirePrivate(path, logger)
  const keys = readTokenKeys(dataDirectory)
  removeLeftovers(path, logger)
  return { keys, areNew }
}

/** Of processes that start together one creates the key file and returns `true`; the others read it. */
function makeKeyFile(path: string, key: Buffer): boolean {
  try {
    writeDurably({ path, text: `${key.toString('hex')}\n`, mode: 0o600, replace: false })
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/** The keys that a server keeps in its data directory. */
export function readTokenKeys(dataDirectory: string): TokenKeys {
  const path = keyFile(dataDirectory)
  return parseTokenKeys(readKeyFile(path), path)
}

/** Hundreds of keys. */
const LARGEST_KEY_FILE = 64 * 1024

function readKeyFile(path: string): string {
  try {
    return readRegularFile(path, LARGEST_KEY_FILE)
  } catch (error) {
    const { code = 'unknown error' }: NodeJS.ErrnoException = error instanceof Error ? error : new Error()
    throw new Error(`${path} cannot be read: ${code}`)
  }
}

function keyFile(dataDirectory: string): string {
  return join(dataDirectory, 'token.keys')
}

function parseTokenKeys(content: string, path: string): TokenKeys {
  const lines = content
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
  const [first, ...others] = lines.map(line => Buffer.from(line, 'hex'))
  if (first === undefined || !lines.every(line => /^[0-9A-Fa-f]{64}$/.test(line)))
    throw new Error(`${path} must hold keys of 64 hexadecimal digits, one in a line`)
  return [first, ...others]
}

const WORLD_WRITABLE = 0o002
const OTHERS_ACCESS = 0o066

/**
 * Users who can write the file can make their own tokens. A group with access only causes a warning: Kubernetes gives it
 * the files of a volume (`fsGroup`).
 */
function requirePrivate(path: string, logger: Logger): void {
  if (process.platform === 'win32') return // it has no modes
  const mode = statSync(path).mode & 0o777
  const shown = mode.toString(8).padStart(4, '0')
  if ((mode & WORLD_WRITABLE) !== 0 && hasModes(dirname(path)))
    throw new Error(
      `${path} can be written by every user of this machine (mode ${shown}), so the keys in it may be somebody else's. Put the right keys there, and then: chmod 600 ${path}`,
    )
  if ((mode & OTHERS_ACCESS) !== 0)
    logger.warn({ file: path, mode: shown }, 'other users of this machine can use the token keys: set mode 0600')
}

/** Some file systems, such as Windows' own below Linux, show the same mode for every file. */
function hasModes(folder: string): boolean {
  const probe = join(folder, `.${randomUUID()}.mode`)
  try {
    writeFileSync(probe, '', { mode: 0o600 })
    return (statSync(probe).mode & WORLD_WRITABLE) === 0
  } catch {
    return true // nothing can be written there, and nothing can be found out
  } finally {
    rmSync(probe, { force: true })
  }
}

/** Deletes drafts of killed starts. They do no harm where they cannot be deleted. */
function removeLeftovers(path: string, logger: Logger): void {
  try {
    removeDrafts(path)
    removeNumberedDrafts(path, logger)
  } catch (error) {
    logger.warn({ file: path, error: String(error) }, 'drafts of the token keys cannot be removed')
  }
}

/**
 * Earlier versions named their draft by the process id. Only certain drafts are deleted: a hard link to the same file, or
 * less than a key. A whole key may be a backup of one that was rotated out.
 */
function removeNumberedDrafts(path: string, logger: Logger): void {
  for (const name of readdirSync(dirname(path)).filter(name => /^token\.keys\.\d+$/.test(name))) {
    const file = join(dirname(path), name)
    const { ino, size } = statSync(file)
    if (ino === statSync(path).ino || size < 64) rmSync(file, { force: true })
    else logger.warn({ file }, 'this file is not read: remove it, unless it is your copy of token keys')
  }
}
