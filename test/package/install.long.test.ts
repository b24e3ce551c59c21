import { execFile } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'

/** The oldest Node that is supported and the lines after it, each with an npm that it came with; the last npm warns of more. */
const releases = [
  { node: '20.19.0', npm: '10.8.2' },
  { node: '22', npm: '10.9.4' },
  { node: '24', npm: '11.19.1' },
]

const run = promisify(execFile)

t.setTimeout(15 * 60_000) // it fetches Node and every dependency where npm's cache does not have them

/** The package as npm would publish it. */
const tarball = await pack()

t.test('the packed package installs in an empty project without a warning', async t => {
  for (const { node, npm } of releases)
    await t.test(`Node ${node} with npm ${npm}`, async t => {
      const project = t.testdir({ 'package.json': '{"private":true,"type":"module"}' })
      writeFileSync(join(project, 'start.js'), START)
      const install = `npm install --engine-strict --prefer-offline --no-audit --no-fund '${tarball}' && node start.js`
      const options = { cwd: project, env: withoutNpmsOwn(process.env) }
      const said = await run('npx', ['--yes', '-p', `node@${node}`, '-p', `npm@${npm}`, '-c', install], options)
      t.match(said.stdout, `started on v${node}`)
      t.strictSame(warnings(said.stdout + said.stderr), [])
      if (node === releases[0]?.node) await compilesIn(t, project)
    })
})

/** The types need nothing but those of Node, in ES modules and in CommonJS. */
async function compilesIn(t: Test, project: string): Promise<void> {
  const files = ['one.mts', 'two.cts']
  for (const file of files) writeFileSync(join(project, file), USE)
  const compiler = resolve('node_modules/typescript/bin/tsc')
  const ours = ['--typeRoots', resolve('node_modules/@types'), '--types', 'node']
  for (const module of ['node16', 'nodenext']) {
    const options = ['--noEmit', '--strict', '--target', 'es2022', ...ours, '--module', module]
    await t.resolves(run(process.execPath, [compiler, ...options, ...files], { cwd: project }), module)
  }
}

t.test('the recipes for Jest, without configuration, and for Vitest pass', async t => {
  const project = t.testdir({ 'package.json': '{"private":true}' })
  cpSync('docs/recipes', project, { recursive: true })
  const options = { cwd: project, env: withoutNpmsOwn(process.env) }
  const runners = ['jest@30', 'vitest@4'] // those that run on every Node that is supported
  await run('npm', ['install', '--prefer-offline', '--no-audit', tarball, ...runners], options)
  const jest = await run('npx', ['jest', 'storefront.jest.test.cjs'], options)
  t.match(jest.stderr, /^Tests: +3 passed, 3 total$/m)
  const vitest = await run('npx', ['vitest', 'run', '--no-color', 'storefront.vitest.test.mjs'], options)
  t.match(vitest.stdout, /^ *Tests +3 passed \(3\)$/m)
})

async function pack(): Promise<string> {
  const folder = t.testdir()
  const { stdout } = await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder])
  return join(folder, stdout.trim())
}

const USE = `
import { type Server, startServer, TokenError } from 'expressplay-token-backend'
import { EntitlementClient } from 'expressplay-token-backend/entitlement-client'
export const server: Promise<Server> = startServer({ settings: { PORT: 0 } })
export const isRefusal = (error: unknown): error is TokenError => error instanceof TokenError
// @ts-expect-error there is no such setting
startServer({ settings: { PROT: 0 } })
export const client: typeof EntitlementClient = EntitlementClient
`

const START = `
import { startServer } from 'expressplay-token-backend'
const server = await startServer()
await fetch(server.url + '/readyz')
await server.close()
console.log('started on', process.version)
`

/** Without what an npm that runs these tests says about itself: another version warns of settings that it does not know. */
function withoutNpmsOwn(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('npm_')))
}

/** All but those about the settings of this machine's npm. */
function warnings(output: string): string[] {
  return output.split('\n').filter(line => /\bwarn(ing)?\b/i.test(line) && !/Unknown \w+ config/.test(line))
}
