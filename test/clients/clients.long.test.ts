import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { sampleParameters } from '../../src/sample.js'
import { startTestServer } from '../harness.js'
import { examples, wrongRequests } from './examples.js'
import { type Generator, generators } from './generators.js'

const run = promisify(execFile)
const FOLDER = resolve('dist/clients')
const CALLER = 'caller.ts'
const DOCUMENTS = ['dist/openapi.json', 'dist/openapi-entitlement.json']

t.setTimeout(15 * 60_000) // it fetches the generators where npm's cache does not have them
const server = await startTestServer(t)

t.test('what the generators make compiles', async t => {
  await install()
  for (const generator of generators) await generate(generator, server.url)
  // Together, as reading TypeScript's own types takes most of the time.
  t.strictSame(faultsOf(generators.map(({ name }) => join(folderOf(name), CALLER))), [])
})

for (const { name } of generators)
  t.test(`a client by ${name} gets a token, an error and a record`, async t => {
    const folder = folderOf(name)
    const built = join(folder, 'caller.mjs')
    const options = ['--bundle', '--format=esm', '--platform=node', `--outfile=${built}`]
    await run(binary('esbuild'), [join(folder, CALLER), ...options])
    const { ask } = (await import(pathToFileURL(built).href)) as Caller
    const [token, code, event] = await ask(server.url, sampleParameters, { ...sampleParameters, kid: 'short' })
    t.match(server.openToken(String(token)), { customerId: 201722 })
    server.keepSecret(String(token))
    t.equal(code, -4020)
    t.match(String(event), /^token_/)
  })

t.test('spectral has nothing to say of the documents', async t => {
  const rules = resolve('test/clients/spectral.yaml')
  const { stdout } = await run(binary('spectral'), ['lint', '--fail-severity', 'hint', '-r', rules, ...DOCUMENTS])
  t.match(stdout, /No results/)
})

t.test('redocly has nothing to say of the documents', async t => {
  const { stderr } = await run('node_modules/.bin/redocly', ['lint', ...DOCUMENTS])
  t.notMatch(stderr, /\d (?:warning|error)/)
})

t.test("prism's proxy sees no answer that the document does not have", async t => {
  const proxy = await startPrism(t, server.url)
  const document = JSON.parse(readFileSync('dist/openapi.json', 'utf8')) as Parameters<typeof examples>[0] // ours
  // The stream never ends.
  const all = examples(document).filter(({ path }) => !path.startsWith('/admin/api/stream'))
  const wrong = wrongRequests(all, 100)
  t.equal(wrong.length, 100)
  const statuses = new Set<number>()
  let wrongToPrism = 0
  for (const { path, ...request } of [...all, ...wrong]) {
    const answer = await fetch(`${proxy}${path}`, request)
    statuses.add(answer.status)
    const said = JSON.parse(answer.headers.get('sl-violations') ?? '[]') as { location: string[] }[] // prism's
    if (said.some(({ location }) => location[0] === 'request')) wrongToPrism += 1
    const title = `${request.method} ${path} ${answer.status}`
    t.strictSame(
      said.filter(({ location }) => location[0] === 'response'),
      [],
      title,
    )
    const text = await answer.text()
    t.notMatch(text, /stoplight\.io/, `${title}: prism itself has answered`)
    for (const [, token = ''] of text.matchAll(/"token":"([^"]+)"/g)) server.keepSecret(token)
  }
  t.ok(wrongToPrism > 10, `prism finds ${wrongToPrism} requests wrong, so it has looked`)
  for (const status of [200, 201, 204, 400, 401, 404]) t.ok(statuses.has(status), `some are answered with ${status}`)
})

async function generate({ name, files, command, caller }: Generator, url: string): Promise<void> {
  const folder = folderOf(name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  cpSync('dist/openapi.json', join(folder, 'openapi.json'))
  for (const [file, text] of Object.entries(files?.(url) ?? {})) writeFileSync(join(folder, file), text)
  const [program = '', ...args] = command
  await run(binary(program), args, { cwd: folder })
  writeFileSync(join(folder, CALLER), caller)
}

function folderOf(name: string): string {
  return join(FOLDER, name.replace(/\W/g, '-'))
}

interface Caller {
  ask(url: string, query: object, wrong: object): Promise<unknown[]>
}

function binary(name: string): string {
  const own = join(FOLDER, 'node_modules/.bin', name)
  return existsSync(own) ? own : resolve('node_modules/.bin', name)
}

/** Again only where they have changed. */
async function install(): Promise<void> {
  const lock = readFileSync('test/clients/package-lock.json', 'utf8')
  const installed = join(FOLDER, 'installed')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === lock) return
  mkdirSync(FOLDER, { recursive: true })
  for (const file of ['package.json', 'package-lock.json']) cpSync(`test/clients/${file}`, join(FOLDER, file))
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: FOLDER })
  writeFileSync(installed, lock)
}

function faultsOf(files: readonly string[]): string[] {
  const program = ts.createProgram(files, {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: [],
  })
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)
}

/** In a process of its own; it sends on what it gets, and says in a header what does not suit the document. */
async function startPrism(t: Test, upstream: string): Promise<string> {
  const port = await freePort()
  const args = ['proxy', 'dist/openapi.json', upstream, '--port', String(port)]
  const prism = spawn(binary('prism'), args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(async () => {
    prism.kill()
    await once(prism, 'exit')
  })
  await new Promise<void>(listening => {
    prism.stdout.on('data', text => {
      if (/listening/i.test(String(text))) listening()
    })
  })
  return `http://127.0.0.1:${port}`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('not a port')
  return address.port
}
