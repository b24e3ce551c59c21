import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
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
  mkdirSync(dataDirectory, { recursive: true })
  try {
    // Exclusively: of two processes that start at once one makes the key and the other reads it.
    writeFileSync(path, `${randomBytes(random, 32).toString('hex')}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  return readTokenKeys(dataDirectory)
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
  const lines = content.split('\n').filter(line => line.trim() !== '')
  const [first, ...others] = lines.map(line => Buffer.from(line.trim(), 'hex'))
  if (first === undefined || [first, ...others].some(key => key.length !== 32))
    throw new Error(`${path} must hold keys of 64 hexadecimal digits, one in a line`)
  return [first, ...others]
}
