import { environmentSettings, readConfig } from '../config.js'

const PATIENCE_MS = 3000

/** Asks the server that the same settings would start. The exit code: 0 ready, 1 not. */
export async function checkHealth(): Promise<number> {
  try {
    const { HOST, PORT } = readConfig(environmentSettings())
    const address = HOST === '0.0.0.0' ? '127.0.0.1' : HOST === '::' ? '[::1]' : HOST
    const answer = await fetch(`http://${address}:${PORT}/readyz`, { signal: AbortSignal.timeout(PATIENCE_MS) })
    if (answer.ok) return 0
    process.stderr.write(`not ready: ${answer.status}\n`)
  } catch (error) {
    process.stderr.write(`not ready: ${error instanceof Error ? error.message : String(error)}\n`)
  }
  return 1
}
