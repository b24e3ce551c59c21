import { sampleParameters } from '../sample.js'
import type { Answer } from './answer-outcome.js'
import type { Case } from './cases.js'
import { changed } from './vectors.js'

/** A page or a token has a few thousand bytes; what comes behind these is not read. */
const MOST_BYTES = 65_536

/** The parameters of a case's request, of the account that asks. */
export function parametersOf({ change }: Case, own: string): URLSearchParams {
  return changed({ ...sampleParameters, customerAuthenticator: own }, change)
}

/** Sends the request of a case to a service, and follows nothing that it answers. */
export async function ask(service: URL, one: Case, own: string, timeout: number): Promise<Answer> {
  const { method } = one
  const parameters = parametersOf(one, own)
  const url = new URL(`${service.href.replace(/\/+$/, '')}/hms/pr/token`)
  const options = { redirect: 'manual', signal: AbortSignal.timeout(timeout) } as const
  const response =
    method === 'post'
      ? await fetch(url, { ...options, method: 'POST', body: parameters })
      : await fetch(Object.assign(url, { search: parameters.toString() }), options)
  return { status: response.status, headers: response.headers, body: await beginningOf(response) }
}

async function beginningOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    chunks.push(chunk)
    length += chunk.length
    if (length > MOST_BYTES) break
  }
  return Buffer.concat(chunks).toString()
}
