import type { Test } from 'tap'
import type { z } from 'zod'
import { errorOf } from './harness.js'

/** What an administrator sends to a server's admin API, and gets. */
export function administratorOf({ url }: { url: string }, token?: string) {
  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(`${url}/admin/api${path}`, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  return {
    ask,
    get: (path: string) => ask('GET', path),
    post: (path: string, body: unknown) => ask('POST', path, body),
    patch: (path: string, body: unknown) => ask('PATCH', path, body),
  }
}

export type Administrator = ReturnType<typeof administratorOf>

/** The body of an answer, which must be what the schema says. */
export async function bodyOf<T>(schema: z.ZodType<T>, answer: Response | Promise<Response>): Promise<T> {
  return schema.parse(await (await answer).json())
}

/** A malformed request, and the field that its refusal names. */
export type Malformed = [method: string, path: string, body: unknown, parameter: string | undefined]

/** Each is refused with 400, and none of the secrets is in the refusal. */
export async function requireMalformed(
  t: Test,
  admin: Administrator,
  cases: readonly Malformed[],
  secrets: readonly string[],
): Promise<void> {
  for (const [method, path, body, parameter] of cases) {
    const answer = await admin.ask(method, path, body)
    const title = `${method} ${path} ${JSON.stringify(body)}`
    t.equal(answer.status, 400, title)
    t.equal(answer.headers.get('content-type'), 'application/json')
    const error = await errorOf(answer)
    t.match(error, { code: 400, requestId: answer.headers.get('x-request-id') })
    t.equal(error.parameter, parameter, title)
    for (const secret of secrets) t.notMatch(JSON.stringify(error), secret, title)
  }
}
