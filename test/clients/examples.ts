interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

interface Operation {
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly example?: unknown }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> }
}

export interface ExampleRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

/** The request that the examples of each operation make; those that remove something come last. */
export function examples({ paths }: Document): ExampleRequest[] {
  const requests = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => exampleOf(method.toUpperCase(), path, operation)),
  )
  const order = ['POST', 'PUT', 'PATCH', 'GET', 'DELETE']
  return requests.sort((one, other) => order.indexOf(one.method) - order.indexOf(other.method))
}

function exampleOf(method: string, template: string, { parameters, requestBody }: Operation): ExampleRequest {
  const given = parameters.filter(({ example }) => example !== undefined)
  const path = given
    .filter(parameter => parameter.in === 'path')
    .reduce((path, { name, example }) => path.replace(`{${name}}`, encodeURIComponent(String(example))), template)
  const inQuery = given.filter(parameter => parameter.in === 'query')
  const query = new URLSearchParams(Object.fromEntries(inQuery.map(({ name, example }) => [name, String(example)])))
  const [type, content] = Object.entries(requestBody?.content ?? {})[0] ?? []
  return {
    method,
    path: query.size === 0 ? path : `${path}?${query}`,
    headers: type === undefined || content?.example === undefined ? {} : { 'content-type': type },
    body: bodyOf(type, content?.example),
  }
}

function bodyOf(type: string | undefined, example: unknown): string | null {
  if (example === undefined) return null
  if (type === 'application/x-www-form-urlencoded')
    return new URLSearchParams(example as Record<string, string>).toString() // of texts
  return JSON.stringify(example)
}

/** As many requests with something wrong in each. */
export function wrongRequests(requests: readonly ExampleRequest[], count: number): ExampleRequest[] {
  const wrong = requests.flatMap(request => MISTAKES.map(mistake => mistake(request)))
  return Array.from({ length: count }, (_, index) => wrong[(index * 7) % wrong.length] ?? requests[0]).flatMap(
    request => request ?? [],
  )
}

type Mistake = (request: ExampleRequest) => ExampleRequest

const MISTAKES: readonly Mistake[] = [
  request => ({ ...request, path: request.path.replace(/\?.*/, '') }),
  request => ({ ...request, path: request.path.replace(/=[^&]*/g, '=x') }),
  request => ({ ...request, path: request.path.replace(/=([^&]{3})[^&]*/g, '=$1') }),
  request => ({
    ...request,
    path: `${request.path}${request.path.includes('?') ? '&' : '?'}errorFormat=xml&kid=&id=0`,
  }),
  request => ({ ...request, body: request.body === null ? null : '{' }),
  request => ({ ...request, body: request.body === null ? null : '{"unknown":[1]}' }),
  request => ({ ...request, body: request.body === null ? null : 'x', headers: { 'content-type': 'text/plain' } }),
  request => ({
    ...request,
    headers: { ...request.headers, origin: 'https://other.example', 'sec-fetch-site': 'cross-site' },
  }),
]
