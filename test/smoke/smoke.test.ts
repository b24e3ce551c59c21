import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import type { RecordsAnswer } from '../../schemas/records.js'
import { sampleParameters } from '../../src/sample.js'
import { administratorOf } from '../administrator.js'
import { form } from '../harness.js'
import { startPostgres } from '../postgres.js'
import { clearKeyBody } from '../redeeming.js'

/*
 * Once through everything that a user reaches, with the package as npm installs it: for another Node than the one of
 * the suite. What depends on the Node is in it: the native modules, worker threads, TLS with client certificates.
 */

t.setTimeout(600_000)

const run = promisify(execFile)
const account = { id: 201722, authenticators: { test: '201722,1ad8eed133edf43cbcc185f0236828ae' }, balance: 100 }
const customerAuthenticator = account.authenticators.test
const KID = 'b366360da82e9c6e0b0984002a362cf2'
const KEK = '000102030405060708090a0b0c0d0e0f'

const project = await mkdtemp(join(tmpdir(), 'smoke-'))
t.teardown(() => rm(project, { recursive: true }))
const { stdout: packed } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', project])
const [{ filename }] = JSON.parse(packed) as [{ filename: string }] // npm's answer for one package
writeFileSync(join(project, 'package.json'), '{"private":true}')
await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${filename}`], { cwd: project })
const program = join(project, 'node_modules/expressplay-token-backend/dist/cli.js')

/** `serve` of the installed package, and the URL that it prints. */
async function serve(t: Test, settings: Record<string, string>) {
  const accounts = join(t.testdirName, 'accounts.json')
  const upstream = settings.MODE === 'gateway' ? { upstream: account.authenticators } : {}
  writeFileSync(accounts, JSON.stringify({ accounts: [{ ...account, ...upstream }] }))
  const env = { PATH: process.env.PATH ?? '', PORT: '0', ACCOUNTS_FILE: accounts, ...settings }
  const child = spawn(process.execPath, [program, 'serve'], { cwd: t.testdirName, env })
  t.teardown(() => child.kill('SIGKILL'))
  const url = await new Promise<string>((resolve, reject) => {
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', text => {
        output += text
        const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? []
        if (found !== undefined) resolve(found)
      })
    child.once('close', () => reject(new Error(`it ended: ${output}`)))
  })
  const stop = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    return once(child, 'close')
  }
  return { url, stop }
}

async function tokenFrom(url: string, method: 'GET' | 'POST'): Promise<string> {
  const query = form()
  const endpoint = `${url}/hms/pr/token`
  const answer = await (method === 'GET' ? fetch(`${endpoint}?${query}`) : fetch(endpoint, { method, body: query }))
  const { token } = (await answer.json()) as { token?: string } // checked by redeeming it
  return token ?? `status ${answer.status}`
}

async function redeemed(url: string, token: string): Promise<unknown> {
  const query = new URLSearchParams({ ExpressPlayToken: token })
  const answer = await fetch(`${url}/hms/ck/rights/?${query}`, { method: 'POST', body: clearKeyBody(KID) })
  return answer.json()
}

async function recorded(url: string): Promise<string[]> {
  const answer = await fetch(`${url}/cmiapi/getrecord/?${new URLSearchParams({ customerAuthenticator })}`)
  return ((await answer.json()) as RecordsAnswer).events.map(({ event }) => event) // as documented
}

const aLicence = { keys: [{ kty: 'oct', kid: Buffer.from(KID, 'hex').toString('base64url') }] }

for (const engine of ['SQLite', 'PostgreSQL'])
  t.test(`the service on ${engine}, killed and started again`, async t => {
    const folder = t.testdir()
    const DATABASE_URL =
      engine === 'SQLite' ? `sqlite:${join(folder, 'ledger.db')}` : await (await startPostgres(t)).newDatabase()
    const settings = { DATABASE_URL, DATA_DIR: join(folder, 'data'), ADMIN_TOKEN: 'an-administrator-of-smoke' }
    const before = await serve(t, settings)
    const tokens = [await tokenFrom(before.url, 'GET'), await tokenFrom(before.url, 'POST')]
    for (const token of tokens) t.match(await redeemed(before.url, token), aLicence)

    const keystore = `${before.url}/keystore/keys?${new URLSearchParams({ customerAuthenticator, kek: KEK })}`
    t.match(await (await fetch(keystore, { method: 'POST' })).json(), { kid: /^[0-9a-f]{32}$/, k: /^[0-9a-f]{32}$/i })
    const events = await recorded(before.url)
    t.equal(events.filter(event => event === 'token_issued').length, 2)
    await before.stop('SIGKILL')

    const after = await serve(t, settings)
    t.same(await recorded(after.url), events, 'nothing is lost')
    t.match(await redeemed(after.url, tokens[0] ?? ''), aLicence)
    const admin = administratorOf(after, settings.ADMIN_TOKEN)
    t.match(await (await admin.get(`/accounts/${account.id}`)).json(), {
      services: { test: { balance: account.balance - 2 } },
    })
    t.equal((await admin.patch(`/accounts/${account.id}`, { enabled: false })).status, 200)
    t.equal(await tokenFrom(after.url, 'GET'), 'status 401')
    t.same(await after.stop('SIGTERM'), [0, null])
  })

t.test('a gateway in front of another', async t => {
  t.testdir()
  const upstream = await serve(t, { DATA_DIR: '' })
  const settings = { MODE: 'gateway', UPSTREAM_TEST_URL: upstream.url, DATABASE_URL: '' }
  const gateway = await serve(t, { ...settings, DATABASE_URL: `sqlite:${join(t.testdirName, 'gateway.db')}` })
  t.match(await redeemed(upstream.url, await tokenFrom(gateway.url, 'POST')), aLicence)
  t.same(await recorded(gateway.url), ['token_issued'])
})

t.test('the command line', async t => {
  const cwd = t.testdir()
  const { url } = await serve(t, { DATA_DIR: join(cwd, 'data') })
  const env = { PATH: process.env.PATH ?? '', DATA_DIR: join(cwd, 'data') }
  const { stdout } = await run(process.execPath, [program, 'token', '--url', url], { cwd, env })
  const { token } = JSON.parse(stdout) as { token: string } // checked by opening it
  const inspected = await run(process.execPath, [program, 'inspect', token], { cwd, env })
  t.match(inspected.stdout, KID)
  t.match((await run(process.execPath, [program, 'openapi'], { cwd, env })).stdout, /"openapi": ?"3/)
})

t.test('the library, and its entitlement service over mutual TLS', async t => {
  const cwd = t.testdir()
  await run(process.execPath, [program, 'certs'], { cwd })
  const certs = join(cwd, 'certs')
  const catalogue = join(cwd, 'catalogue.json')
  const contentID = '3f2504e0-4f89-11d3-9a0c-0305e82c3301'
  const key = { kid: KID, contentKey: KID }
  const { rightsType, analogVideoOPL, ...others } = sampleParameters
  const levels = Object.entries({ analogVideoOPL, ...others }).filter(([name]) => name.endsWith('OPL'))
  const hd = { rightsType, ...Object.fromEntries(levels.map(([name, level]) => [name, Number(level)])) }
  const contents = [{ contentID, keys: [key], policy: 'hd', duration: 3600, viewers: 'everyone' }]
  writeFileSync(catalogue, JSON.stringify({ policies: { hd }, contents }))

  const library = (await importInstalled('')) as typeof import('../../src/index.js')
  const server = await library.startServer({
    settings: {
      ENTITLEMENT_PORT: 0,
      ENTITLEMENT_CLIENT_CA: join(certs, 'ca.pem'),
      ENTITLEMENT_TLS_CERT: join(certs, 'server.pem'),
      ENTITLEMENT_TLS_KEY: join(certs, 'server.key.pem'),
      CATALOGUE_FILE: catalogue,
    },
  })
  t.teardown(() => server.close())
  t.match(server.openToken(await tokenFrom(server.url, 'GET')), { keys: [{ kid: KID }] })

  const name = '/entitlement-client'
  const { EntitlementClient } = (await importInstalled(name)) as typeof import('../../src/entitlement/client/index.js')
  const pem = (name: string) => readFileSync(join(certs, name), 'utf8')
  const client = new EntitlementClient({
    url: server.entitlementUrl ?? '',
    ca: pem('ca.pem'),
    cert: pem('client.pem'),
    key: pem('client.key.pem'),
  })
  t.teardown(() => client.close())
  const answer = await client.ask({ contentID })
  t.match(answer, { isAllowed: true, epTokenURL: /ExpressPlayToken=/ })
  const { searchParams } = new URL(answer.isAllowed ? answer.epTokenURL : 'denied:')
  t.match(await redeemed(server.url, searchParams.get('ExpressPlayToken') ?? ''), aLicence)
})

t.test('the library where ES modules cannot be loaded, as in Jest', async t => {
  const library = requireInstalled('') as typeof import('../../src/index.js')
  const server = await library.startServer({ settings: { DATA_DIR: t.testdirName } })
  t.teardown(() => server.close())
  t.match(server.openToken(await tokenFrom(server.url, 'POST')), { keys: [{ kid: KID }] })
  t.match(requireInstalled('/entitlement-client'), { EntitlementClient: Function })
})

/** As a program in the project imports it, by its name. */
function importInstalled(subpath: string): Promise<unknown> {
  const program = join(project, 'import.mjs')
  writeFileSync(program, `export default name => import(name)`)
  return import(pathToFileURL(program).href).then(({ default: load }) => load(`expressplay-token-backend${subpath}`))
}

function requireInstalled(subpath: string): unknown {
  return createRequire(join(project, 'package.json'))(`expressplay-token-backend${subpath}`)
}
