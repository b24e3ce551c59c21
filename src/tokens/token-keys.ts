import { existsSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Randomness, randomBytes } from '../randomness.js'
import type { TokenKeys } from './vault.js'

/**
 * The keys in `token.keys` of the data directory, one in a line; a key is made on the first start. With no data
 * directory the key lives as long as the process.
 */
export function keptTokenKeys(dataDirectory: string, random: Randomness): TokenKeys {
  if (dataDirectory === '') return [randomBytes(random, 32)]
  const path = keyFile(dataDirectory)
  try {
    mkdirSync(dataDirectory, { recursive: true })
    if (!existsSync(path)) makeKeyFile(path, randomBytes(random, 32))
  } catch (error) {
    throw new Error(`DATA_DIR cannot be used: ${error instanceof Error ? error.message : String(error)}`)
  }
  return readTokenKeys(dataDirectory)
}

/** Whole or not at all: of processes that start at once one makes the key, and the others read what it wrote. */
function makeKeyFile(path: string, key: Buffer): void {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, `${key.toString('hex')}\n`, { flag: 'wx', mode: 0o600 })
  try {
    linkSync(draft, path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    unlinkSync(draft)
  }
}

/** The keys that a server keeps in its data directory. */
export function readTokenKeys(dataDirectory: string): TokenKeys {
  const path = keyFile(dataDirectory)
  return parse(readFileSync(path, 'utf8'), path)
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
