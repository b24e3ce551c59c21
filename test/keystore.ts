import { type IncomingHttpHeaders, request } from 'node:http'
import { sampleParameters } from '../src/sample.js'
import type { TestServer } from './harness.js'

export interface KeystoreAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** How many pieces the body came in. */
  readonly parts: number
}

export interface KeystoreQuestion {
  readonly kek?: string | undefined
  /** A text, or what becomes one as JSON. */
  readonly body?: unknown
  /** Instead of the test account's in the test environment. */
  readonly customerAuthenticator?: string
  readonly headers?: Record<string, string>
}

type Ask = (path: string, question?: KeystoreQuestion) => Promise<KeystoreAnswer>

/** What a client does with the key storage; every secret of it is searched for in the server's log. */
export function keystoreOf(server: TestServer): Record<'get' | 'post' | 'put' | 'remove', Ask> {
  function asking(method: string): Ask {
    return async (path, { kek, body, headers = {}, ...question } = {}) => {
      const { customerAuthenticator = sampleParameters.customerAuthenticator } = question
      const query = new URLSearchParams({ customerAuthenticator })
      if (kek !== undefined) query.set('kek', kek)
      const text = typeof body === 'object' ? JSON.stringify(body) : (body as string | undefined) // no test has more
      const type = text === undefined ? {} : { 'content-type': 'application/json' }
      const answer = await send(`${server.url}/keystore${path}?${query}`, method, { ...type, ...headers }, text)
      for (const secret of [kek ?? '', ...secretsIn(text), ...secretsIn(answer.body)]) server.keepSecret(secret)
      return answer
    }
  }
  return { get: asking('GET'), post: asking('POST'), put: asking('PUT'), remove: asking('DELETE') }
}

/** Leaves the path as it is and adds no headers, unlike `fetch`. */
export function send(
  url: string,
  method: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<KeystoreAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers }, response => {
      const parts: Buffer[] = []
      response.on('data', part => parts.push(part))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts).toString(),
          parts: parts.length,
        }),
      )
    })
    asked.on('error', reject).end(body)
  })
}

function secretsIn(text = ''): string[] {
  return [...text.matchAll(/"e?k":"([0-9A-Fa-f]+)"/g)].map(([, secret = '']) => secret)
}
