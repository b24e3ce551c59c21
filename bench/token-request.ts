import { sampleParameters } from '../src/sample.js'
import { startService } from './processes.js'

/** The request for a token that every part makes. */
export const TOKEN_PATH = `/hms/pr/token?${new URLSearchParams(sampleParameters)}`

/** What the service answers to it: bare servers answer the same. */
export async function tokenAnswer(): Promise<string> {
  const service = await startService('memory:')
  const answer = await (await fetch(service.url + TOKEN_PATH)).text()
  await service.stop()
  return answer
}
