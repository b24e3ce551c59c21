import { isIPv6 } from 'node:net'
import { environmentSettings, readConfig } from '../config.js'

/** Where a server with the settings of this process is reached from this machine. */
export function localUrl(): string {
  const { HOST, PORT } = readConfig(environmentSettings())
  const address =
    new Map([
      ['0.0.0.0', '127.0.0.1'],
      ['::', '::1'],
    ]).get(HOST) ?? HOST
  return `http://${isIPv6(address) ? `[${address}]` : address}:${PORT}`
}
