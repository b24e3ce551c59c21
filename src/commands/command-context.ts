import { isIPv6 } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { readConfig } from '../config/config.js'
import { environmentSettings } from '../config/environment-settings.js'

/** What a command uses of its process: `process` itself, or a substitute in tests. */
export interface CommandContext {
  readonly env: NodeJS.ProcessEnv
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
}

/** The URL at which this machine reaches a server with these settings. */
export function localUrl(env: NodeJS.ProcessEnv): string {
  const { HOST, PORT } = readConfig(environmentSettings(env))
  return addressedUrl(HOST, PORT)
}

/** The URL of what listens on this address, which may stand for all of them: no client connects to such a one. */
export function addressedUrl(listening: string, port: number): string {
  const address =
    new Map([
      ['0.0.0.0', '127.0.0.1'],
      ['::', '::1'],
    ]).get(listening) ?? listening
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}`
}
