import { environmentSettings, readConfig } from '../config.js'

/** Where a server with the settings of this process is reached from this machine. */
export function localUrl(): string {
  const { HOST, PORT } = readConfig(environmentSettings())
  const address = HOST === '0.0.0.0' ? '127.0.0.1' : HOST === '::' ? '[::1]' : HOST
  return `http://${address}:${PORT}`
}
