import type { TokenFamily } from '../drm/family.js'
import { sampleRequest } from '../sample.js'
import type { Answer } from './answer-outcome.js'
import type { Case } from './cases.js'
import { changed } from './vectors.js'

/** A page or a token has a few thousand bytes; what comes behind these is not read. */
const MOST_BYTES = 65_536

/** Who asks whom, and for what. */
export interface Asked {
  readonly service: URL
  readonly family: TokenFamily
  /** The authenticator of the account that asks. */
  readonly own: string
  /** In milliseconds. */
  readonly timeout: number
}

/** The parameters of a case's request. */
export function parametersOf({ change }: Case, { family, own }: Pick<Asked, 'family' | 'own'>): URLSearchParams {
  return changed({ ...sampleRequest(family), customerAuthenticator: own }, change)
}

/** Sends the request of a case to a service, and follows nothing that it answers. */
export async function ask(one: Case, asked: Asked): Promise<Answer> {
  const { method } = one
  const { service, family, timeout } = asked
  const parameters = parametersOf(one, asked)
  const url = new URL(`${service.href.replace(/\/+$/, '')}${family.tokenPath}`)
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
