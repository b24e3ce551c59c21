import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import createClient from 'openapi-fetch'
import openapiTS, { astToString } from 'openapi-typescript'
import t from 'tap'
import ts from 'typescript'
import { sampleParameters } from '../../src/sample.js'
import { startTestServer } from '../harness.js'

interface Document {
  readonly openapi: string
  readonly paths: Record<string, Record<string, { parameters?: { name: string }[]; responses: Record<string, Answer> }>>
}

interface Answer {
  readonly content: Record<string, { examples?: Record<string, { value: { code: number } }> }>
}

t.test('the OpenAPI document names every parameter and every error with its status', async t => {
  const { url } = await startTestServer(t)
  const response = await fetch(`${url}/openapi.json`)
  t.equal(response.headers.get('content-type'), 'application/json')
  const document = (await response.json()) as Document // linted in CI
  t.equal(document.openapi, '3.1.0')
  const { parameters = [], responses } = document.paths['/hms/pr/token']?.get ?? { responses: {} }
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
  const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => new URL(path, `${url}/docs/`))
  t.ok(loaded.length > 3)
  for (const one of loaded) {
    t.equal(one.origin, url)
    const answer = await fetch(one)
    t.equal(answer.status, 200, one.pathname)
    t.ok((await answer.arrayBuffer()).byteLength > 0)
  }
})

function clientOf(change: string): string {
  return `
import createClient from 'openapi-fetch'
import type { paths } from './paths.js'
const client = createClient<paths>({ baseUrl: 'http://localhost' })
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
