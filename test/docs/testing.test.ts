import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { readConfig } from '../../src/config/config.js'
import { type Server, type ServerOptions, startServer } from '../../src/index.js'
import { sampleParameters } from '../../src/sample.js'
import { accounts, startTestServer, type TestServer } from '../harness.js'
import { blocksOf, runRecipes } from './recipes.js'

const run = promisify(execFile)

const PAGE_URL = 'http://127.0.0.1:8080'
const ADMIN_TOKEN = '0123456789abcdef'
/** The accounts that the pages name. */
const named = { accounts: [...accounts, { id: 1001, authenticators: {} }] }

t.test('the recipes for node:test pass', async t => {
  const blocks = blocksOf('docs/recipes.md').filter(({ language }) => language === 'js')
  mkdirSync(join(t.testdir({}), 'node_modules'))
  symlinkSync(resolve('.'), join(t.testdirName, 'node_modules/expressplay-token-backend'))
  writeFileSync(join(t.testdirName, 'storefront.test.mjs'), blocks.map(({ code }) => code).join('\n'))
  const options = { cwd: t.testdirName, env: { PATH: process.env.PATH } }
  const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', 'storefront.test.mjs'], options)
  t.match(stdout, new RegExp(`^# pass ${blocks.length - 1}$`, 'm'), 'each block after the set-up is a test')
})

t.test('the recipes for curl pass', async t => {
  t.equal((await runRecipes(t, 'sh recipes.sh')).match(/^ok - /gm)?.length, 4)
  await t.rejects(runRecipes(t, 'sh recipes.sh', { ADMIN_TOKEN: '' }), { message: /401/ }, 'not without the token')
})

t.test('the recipes for Python pass', async t => {
  t.match(await runRecipes(t, 'python3 -m unittest test_storefront.py'), /^Ran 4 tests .*\n\nOK$/m)
})

t.test("testing.md's examples for Node run", async t => {
  const server = await startTestServer(t, named)
  const examples = blocksOf('docs/testing.md').filter(({ language }) => language === 'js')
  for (const [index, { code }] of examples.entries()) {
    const file = join(t.testdir({}), `${index}.mjs`)
    writeFileSync(file, `export default async ({ startServer, server, text }) => {{\n${code}\n}}\n`)
    // The cast: as it was just written.
    const { default: example } = (await import(pathToFileURL(file).href)) as { default: Example }
    await server.reset()
    const text = await tokenFor(server)
    await t.resolves(example({ startServer: startFor(t), server, text }), code)
  }
  t.ok(examples.length >= 6)
})

t.test("testing.md's examples for curl are answered", async t => {
  const server = await startTestServer(t, named)
  await tokenFor(server)
  const query = `?${new URLSearchParams(sampleParameters)}`
  const examples = blocksOf('docs/testing.md').flatMap(({ code }) => code.match(/^(?:\$ )?curl (?:.*\\\n)*.*$/gm) ?? [])
  const finite = examples.filter(example => !example.includes('/stream'))
  for (const example of finite) {
    const command = example.replace(/^\$ /, '').replace(PAGE_URL, server.url).replace('?…', query)
    const complete = command.includes('"…"') ? command.replace('…', await tokenFor(server)) : command
    const { stdout } = await run('bash', ['-c', `${complete} -sS -o /dev/null -w '%{http_code}' || true`])
    // An emulated fault is an error of HTTP, or no answer at all.
    t.match(stdout, /emulate[-:]/.test(example) ? /^(?:[45]..|000)$/ : /^2..$/, example)
  }
  t.ok(finite.length >= 20)
})

t.test("container.md's commands start over and inject a fault", async t => {
  const server = await startTestServer(t, { settings: { ADMIN_TOKEN } })
  const [commands] = blocksOf('docs/container.md').filter(({ code }) => code.startsWith('admin()'))
  const script = commands?.code.replaceAll(PAGE_URL, server.url) ?? ''
  await server.get()
  await run('bash', ['-ec', script], { env: { PATH: process.env.PATH, ADMIN_TOKEN } })
  t.equal(await server.requests.count({}), 0, 'the service starts over')
  t.match(await (await server.get()).json(), { code: -2019 })
  t.equal((await server.get()).status, 200)
})

for (const file of ['docker/compose.yaml', 'docker/compose.postgres.yaml'])
  t.test(`${file}: the admin API has the ADMIN_TOKEN of the environment`, async t => {
    const keys = { TOKEN_KEYS: '00112233445566778899aabbccddeeff'.repeat(2) }
    t.equal(readConfig(environmentOf(file, { ...keys, ADMIN_TOKEN })).ADMIN_TOKEN, ADMIN_TOKEN)
    t.equal(readConfig(environmentOf(file, keys)).ADMIN_TOKEN, undefined, 'without one it has none')
  })

interface ExampleParts {
  readonly startServer: typeof startServer
  readonly server: Server
  /** A token. */
  readonly text: string
}

type Example = (parts: ExampleParts) => Promise<void>

/** With servers that end with the test. */
function startFor(t: Test): typeof startServer {
  return async (options: ServerOptions = {}) => {
    const server = await startServer({ ...named, ...options })
    t.teardown(() => server.close())
    return server
  }
}

/** The token of a viewer whom the pages name. */
async function tokenFor(server: TestServer): Promise<string> {
  const answer = (await (await server.get({ cookie: 'viewer-4711' })).json()) as { token: string } // as documented
  return answer.token
}

/** What a container gets, as Compose fills it in. */
function environmentOf(file: string, given: Readonly<Record<string, string>>): Record<string, string> {
  const fill = (value: string) => value.replace(/\$\{(\w+):[^}]*\}/, (_, name: string) => given[name] ?? '')
  // The cast: as Compose files are.
  const { services } = parse(readFileSync(file, 'utf8')) as { services: { 'token-backend': { environment: object } } }
  const { environment } = services['token-backend']
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, fill(String(value))]))
}
