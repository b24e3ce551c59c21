import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fastify } from 'fastify'
import createClient from 'openapi-fetch'
import openapiTS, { astToString } from 'openapi-typescript'
import t from 'tap'
import ts from 'typescript'
import { application } from '../../src/app.js'
import { Families } from '../../src/drm/families.js'
import type { TokenFamily } from '../../src/drm/family.js'
import { playready } from '../../src/drm/playready-family.js'
import { openApiDocument, type Route } from '../../src/openapi/document.js'
import { service } from '../../src/openapi/outlines.js'
import { sampleParameters } from '../../src/sample.js'
import { appWith } from '../app.js'
import { startTestServer } from '../harness.js'

interface Document {
  readonly openapi: string
  readonly paths: Record<string, Record<string, Operation>>
}

interface Operation {
  readonly operationId: string
  readonly parameters?: { readonly name: string; readonly required: boolean; readonly example?: unknown }[]
  readonly requestBody?: {
    readonly required: boolean
    readonly content: Record<string, { readonly example?: unknown }>
  }
  readonly responses: Record<string, Answer>
}

interface Answer {
  readonly content: Record<string, { schema: object; examples?: Record<string, { value: { code: number } }> }>
}

t.test('the OpenAPI document names every parameter and every error with its status', async t => {
  const { url } = await startTestServer(t)
  const response = await fetch(`${url}/openapi.json`)
  t.equal(response.headers.get('content-type'), 'application/json')
  const document = (await response.json()) as Document // linted in CI
  t.equal(document.openapi, '3.1.0')
  const { parameters = [], responses = {} }: Partial<Operation> = document.paths['/hms/pr/token']?.get ?? {}
  t.equal(parameters.length, 27 + 2, 'every parameter, the numbered ones, and Idempotency-Key')
  for (const [status, code] of [
    ['400', -4018],
    ['400', -2019],
    ['401', -2018],
    ['503', -2030],
  ] as const) {
    const examples = Object.values(responses[status]?.content['application/json']?.examples ?? {})
    t.ok(
      examples.some(({ value }) => value.code === code),
      `${code} is an example of ${status}`,
    )
  }
})

t.test('the documents have the routes that are registered, and no others', async t => {
  const registered: string[] = []
  const hidden: string[] = []
  const app = fastify()
  app.addHook('onRoute', ({ url, method, schema }) => {
    for (const one of [method].flat())
      if (one !== 'HEAD' && one !== 'OPTIONS')
        (schema?.hide === true ? hidden : registered).push(`${one} ${withoutNames(url)}`)
  })
  await app.register(application, { services: (await appWith(t)).services })
  await app.ready()
  const documentedOf = async (path: string) => {
    const { paths } = (await app.inject(path)).json<Document>()
    return Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map(method => `${method.toUpperCase()} ${withoutNames(path)}`),
    )
  }
  t.same((await documentedOf('/openapi.json')).sort(), registered.sort())
  t.same(await documentedOf('/openapi-entitlement.json'), ['POST /entitlement', 'POST /sees/SEESServlet'])

  for (const one of hidden)
    t.match(
      one,
      /^GET \/(?:docs|player|openapi)|^POST \/widevine\/|\/$|\*$/,
      'what is hidden is a page, a file, an alias or what takes unknown paths',
    )
})

t.test("the documents say what other people's generators understand", async t => {
  const { app } = await appWith(t)
  const text = (await app.inject('/openapi.json')).body
  t.notMatch(text, '\\\\p{', 'no classes of characters in patterns')
  const { paths } = JSON.parse(text) as Document
  const operations = Object.values(paths).flatMap(path => Object.values(path))
  for (const { operationId, responses, requestBody, parameters = [] } of operations) {
    for (const status of Object.keys(responses)) t.match(status, /^(?:\d{3}|default)$/, operationId)
    const needed = parameters.filter(({ required }) => required)
    t.ok(
      needed.every(({ example }) => example !== undefined),
      `${operationId} has an example of everything that it needs`,
    )
    const [content] = Object.values(requestBody?.content ?? {})
    if (requestBody?.required) t.ok(content?.example, `${operationId} has an example of a body`)
  }
  t.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length, 'operationIds are unique')

  const { get, post } = paths['/hms/pr/token'] ?? {}
  t.same(
    get?.parameters?.filter(({ required }) => required).map(({ name }) => name),
    ['customerAuthenticator'],
    'every other one may stand under a number',
  )
  t.equal(post?.requestBody?.required, false, 'the query may say everything')
  t.same(
    post?.parameters?.filter(({ required }) => required),
    [],
    'and so may the form',
  )
  t.match(get?.responses['200']?.content['text/uri-list'], { schema: { type: 'string' } })
  for (const path of ['/cmiapi/getrecord/', '/hms/ck/rights/']) t.ok(paths[path], path)
  t.ok(paths['/hms/ck/rights/']?.post?.requestBody?.content['*/*'], 'a challenge has any content type')
})

t.test('a further DRM is in the document by itself', async t => {
  const cinema: TokenFamily = {
    ...playready,
    drm: 'cinema',
    name: 'cinema',
    number: 200,
    tokenPath: '/hms/cinema/token',
  }
  const routes: Route[] = []
  const app = fastify()
  app.addHook('onRoute', route => void routes.push(route))
  await app.register(application, { services: (await appWith(t, { families: new Families([cinema]) })).services })
  const { paths } = openApiDocument(routes, service) as unknown as Document
  t.match(paths['/hms/cinema/token'], {
    get: { operationId: 'getCinemaToken' },
    post: { operationId: 'postCinemaToken' },
  })
  t.notOk(paths['/hms/pr/token'])
})

t.test('a typed client that a public generator makes from it gets a token', async t => {
  t.testdir()
  const { url, openToken } = await startTestServer(t)
  const types = astToString(await openapiTS(new URL(`${url}/openapi.json`)))
  writeFileSync(join(t.testdirName, 'paths.ts'), types)
  writeFileSync(join(t.testdirName, 'package.json'), '{"type":"module"}')
  writeFileSync(join(t.testdirName, 'right.ts'), clientOf("rightsType: 'Rental'"))
  writeFileSync(join(t.testdirName, 'wrong.ts'), clientOf("rightsType: 'Lease'"))
  t.same(compile(join(t.testdirName, 'right.ts')), [], 'a right call compiles')
  t.match(compile(join(t.testdirName, 'wrong.ts')), [/"Lease"/], 'a wrong value does not')

  const { GET } = createClient<Record<string, { get: never }>>({ baseUrl: url })
  const { data } = await (GET as (path: string, options: object) => Promise<{ data?: { token: string } }>)(
    // typed above
    '/hms/pr/token',
    { params: { query: sampleParameters }, headers: { accept: 'application/json' } },
  )
  t.match(openToken(data?.token ?? ''), { customerId: 201722 })
})

t.test('the docs page and what it loads come from the server itself', async t => {
  const { url } = await startTestServer(t)
  const page = await fetch(`${url}/docs`)
  t.equal(page.status, 200)
  const html = await page.text()
  const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => new URL(path, page.url))
  t.ok(loaded.length > 3)
  for (const one of loaded) {
    t.equal(one.origin, url)
    const answer = await fetch(one)
    t.equal(answer.status, 200, one.pathname)
    t.ok((await answer.arrayBuffer()).byteLength > 0)
  }
})

function withoutNames(path: string): string {
  return path.replace(/:\w+|\{\w+\}/g, '{}')
}

function clientOf(change: string): string {
  return `
import { fastify } from 'fastify'
import createClient from 'openapi-fetch'
import type { paths } from './paths.js'
const client = createClient<paths, 'application/json'>({ baseUrl: 'http://localhost' })
export const { data } = await client.GET('/hms/pr/token', {
  params: { query: { customerAuthenticator: '1,00', kid: '^a', ${change}, analogVideoOPL: '0', compressedDigitalAudioOPL: '0',
    compressedDigitalVideoOPL: '0', uncompressedDigitalAudioOPL: '0', uncompressedDigitalVideoOPL: '0' } },
})
export const token: string | undefined = data?.token
`
}

function compile(file: string): string[] {
  const program = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
  })
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}
