import { type CommandContext, localUrl } from './command-context.js'
import { causeOf } from './no-answer.js'

const TIMEOUT_MS = 3000

/** Asks the server that the same settings would start. The exit code: 0 ready, 1 not. */
export async function checkHealth({ env, stderr }: CommandContext): Promise<number> {
  try {
    const answer = await fetch(`${localUrl(env)}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    if (answer.ok) return 0
    stderr.write(`not ready: ${answer.status}\n`)
  } catch (error) {
    stderr.write(`not ready: ${causeOf(error)}\n`)
  }
  return 1
}
