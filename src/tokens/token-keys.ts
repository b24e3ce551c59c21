import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from '../config/config.js'
import { hasCode, makeFolder, readRegularFile, removeDrafts, writeDurably } from '../ground/files.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'
import type { TokenKeys } from './vault.js'

export interface KeysOfServer {
  readonly keys: TokenKeys
  /** Made by this start: what was sealed before cannot be opened. */
  readonly areNew: boolean
}

/** The keys that are configured, or those in `token.keys` of the data directory, or else one for this process alone. */
export function tokenKeysOf(
  { TOKEN_KEYS, DATA_DIR }: Pick<Config, 'TOKEN_KEYS' | 'DATA_DIR'>,
  random: Randomness,
  logger: Logger,
): KeysOfServer {
  if (TOKEN_KEYS !== undefined) return { keys: TOKEN_KEYS, areNew: false }
  if (DATA_DIR === '') return { keys: [randomBytes(random, 32)], areNew: true }
  return keptTokenKeys(DATA_DIR, random, logger)
}

/** One in a line; a key is made on the first start. */
function keptTokenKeys(dataDirectory: string, random: Randomness, logger: Logger): KeysOfServer {
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

/** Of processes that start at once one makes the key, and the others read what it wrote: those answer `false`. */
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
  return parse(contentOf(path), path)
}

/** Hundreds of keys. */
const LARGEST_KEY_FILE = 64 * 1024

function contentOf(path: string): string {
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

function parse(content: string, path: string): TokenKeys {
  const lines = content
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
  const [first, ...others] = lines.map(line => Buffer.from(line, 'hex'))
  if (first === undefined || !lines.every(line => /^[0-9A-Fa-f]{64}$/.test(line)))
    throw new Error(`${path} must hold keys of 64 hexadecimal digits, one in a line`)
  return [first, ...others]
}

const EVERYBODY_WRITES = 0o002
const OTHERS_USE = 0o066

/**
 * Who can write the file can make tokens of their own. A group that can is warned of only: Kubernetes gives it the
 * files of a volume (`fsGroup`).
 */
function requirePrivate(path: string, logger: Logger): void {
  if (process.platform === 'win32') return // it has no modes
  const mode = statSync(path).mode & 0o777
  const shown = mode.toString(8).padStart(4, '0')
  if ((mode & EVERYBODY_WRITES) !== 0 && hasModes(dirname(path)))
    throw new Error(
      `${path} can be written by every user of this machine (mode ${shown}), so the keys in it may be somebody else's. Put the right keys there, and then: chmod 600 ${path}`,
    )
  if ((mode & OTHERS_USE) !== 0)
    logger.warn({ file: path, mode: shown }, 'other users of this machine can use the token keys: set mode 0600')
}

/** Some file systems, such as Windows' own below Linux, show the same mode for every file. */
function hasModes(folder: string): boolean {
  const probe = join(folder, `.${randomUUID()}.mode`)
  try {
    writeFileSync(probe, '', { mode: 0o600 })
    return (statSync(probe).mode & EVERYBODY_WRITES) === 0
  } catch {
    return true // nothing can be written there, and nothing can be found out
  } finally {
    rmSync(probe, { force: true })
  }
}

/** What starts left that were killed. Where nothing can be removed it does no harm. */
function removeLeftovers(path: string, logger: Logger): void {
  try {
    removeDrafts(path)
    removeNumberedDrafts(path, logger)
  } catch (error) {
    logger.warn({ file: path, error: String(error) }, 'drafts of the token keys cannot be removed')
  }
}

/**
 * Earlier versions named their draft by the process's id. Only what is certainly a draft goes: another name of the
 * same file, or less than a key. A whole key may be somebody's copy of one that was rotated out.
 */
function removeNumberedDrafts(path: string, logger: Logger): void {
  for (const name of readdirSync(dirname(path)).filter(name => /^token\.keys\.\d+$/.test(name))) {
    const file = join(dirname(path), name)
    const { ino, size } = statSync(file)
    if (ino === statSync(path).ino || size < 64) rmSync(file, { force: true })
    else logger.warn({ file }, 'this file is not read: remove it, unless it is your copy of token keys')
  }
}
