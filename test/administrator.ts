import type { z } from 'zod'

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
