import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { shownAccount } from '../../schemas/admin.js'
import type { RecordedEvent } from '../../schemas/records.js'
import { KEPT } from '../../schemas/reset.js'
import { playready } from '../../src/drm/playready-family.js'
import { ConfigError, type ServerOptions, startServer } from '../../src/index.js'
import type { LedgerEvent } from '../../src/ledger/ledger.js'
import { TokenVault } from '../../src/tokens/vault.js'
import { type Administrator, administratorOf, bodyOf } from '../administrator.js'
import { appWith } from '../app.js'
import { content, EK, ID, withSecrets } from '../contents.js'
import { repetitions } from '../counts.js'
import { authenticators, errorOf, form, NOON, startTestServer, type TestServer, tokenOf } from '../harness.js'
import { keystoreOf } from '../keystore.js'
import { startPostgres } from '../postgres.js'
import { clearKeyBody, startLicenceServer } from '../redeeming.js'

const CUSTOMER = 201722
const OTHER = 5
const KID = 'b366360da82e9c6e0b0984002a362cf2'
const STORED_KID = '00112233445566778899aabbccddeeff'
const THREE = '5,00000000000000000000000000000005'

const postgres = await startPostgres(t)
const engines: Record<string, () => Promise<string>> = {
  SQLite: async () => 'memory:',
  PostgreSQL: () => postgres.newDatabase(),
}

interface World {
  readonly server: TestServer
  readonly admin: Administrator
}

function onEach(title: string, options: ServerOptions, test: (t: Test, world: World) => Promise<void>): void {
  for (const [engine, newDatabase] of Object.entries(engines))
    void t.test(`${title}, ${engine}`, async t => {
      const settings = { DATABASE_URL: await newDatabase(), ...options.settings }
      const server = withSecrets(await startTestServer(t, { ...options, settings }))
      await test(t, { server, admin: administratorOf(server) })
    })
}

/** How a token request ends: a status, or the code of a refusal. */
async function outcome(answer: Response): Promise<number> {
  return answer.ok ? answer.status : (await errorOf(answer)).code
}

async function eventsOf({ url }: TestServer, customerAuthenticator = authenticators.own): Promise<RecordedEvent[]> {
  const answer = await fetch(`${url}/cmiapi/getrecord/?${new URLSearchParams({ customerAuthenticator })}`)
  return ((await answer.json()) as { events: RecordedEvent[] }).events // the documented answer
}

async function redeem({ url }: TestServer, token: string): Promise<number> {
  const query = new URLSearchParams({ ExpressPlayToken: token })
  return outcome(await fetch(`${url}/hms/ck/rights/?${query}`, { method: 'POST', body: clearKeyBody(KID) }))
}

/** Leaves something in every table, and in memory. Returns a token. */
async function use({ server, admin }: World): Promise<string> {
  const token = await tokenOf(await server.get({}, { 'idempotency-key': 'order-1' }))
  t.equal(await redeem(server, token), 200)
  const { post } = keystoreOf(server)
  t.equal((await post('/keys', { body: { kid: STORED_KID, ek: EK } })).status, 201)
  t.equal((await admin.ask('PUT', `/contents/${ID}`, content)).status, 201)
  const created = await admin.post('/accounts', { id: 77, authenticators: { test: MINE } })
  t.equal(created.status, 201)
  t.equal((await admin.post(`/accounts/${CUSTOMER}/balance`, { environment: 'test', set: 7 })).status, 200)
  t.equal((await admin.patch(`/accounts/${OTHER}`, { enabled: false, name: 'Renamed' })).status, 200)
  const rotated = await admin.post(`/accounts/${OTHER}/authenticators`, { environment: 'test', validForSeconds: 0 })
  const { authenticator } = (await rotated.json()) as { authenticator: string } // the documented answer
  server.keepSecret(authenticator)
  return token
}

const MINE = '77,0123456789abcdef0123456789abcdef'

onEach('a reset brings back what the start made', { settings: { RATE_LIMIT_PER_ACCOUNT: 12 } }, async (t, world) => {
  const { server, admin } = world
  const before = await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`))
  const token = await use(world)
  for (let requests = 0; requests < 12; requests++) await server.get({}, { 'idempotency-key': 'order-1' })
  t.equal(await outcome(await server.get()), 429)

  const answer = await admin.ask('POST', '/reset')
  t.equal(answer.status, 204)
  t.same(await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`)), before, 'the balance, too')
  t.equal(await redeem(server, token), -4010, 'the keys of tokens are new')
  t.equal(await outcome(await server.get({ customerAuthenticator: THREE })), 200, 'a rotation is undone')
  t.match(await bodyOf(shownAccount, admin.get(`/accounts/${OTHER}`)), {
    name: '',
    enabled: true,
    services: { test: { balance: 2 } },
  })
  t.equal((await admin.get('/accounts/77')).status, 404)
  t.equal(await outcome(await server.get({ customerAuthenticator: MINE })), -2018)
  t.same(await (await admin.get('/contents')).json(), { contents: [], next: null })
  const { get } = keystoreOf(server)
  t.same(JSON.parse((await get('/keycount')).body), { keyCount: 0 })
  const again = await server.get({}, { 'idempotency-key': 'order-1' })
  t.equal(again.headers.get('idempotency-replayed'), null)
  t.equal(await redeem(server, await tokenOf(again)), 200)
  t.same(
    (await eventsOf(server)).map(({ event_id, event }) => [event_id, event]),
    [
      [2, 'token_redeemed'],
      [1, 'token_issued'],
    ],
    'events count from 1 again',
  )
})

onEach('a reset leaves what it is to keep', {}, async (t, world) => {
  const { server, admin } = world
  const token = await use(world)
  const { get } = keystoreOf(server)
  const state = async () => ({
    token: await redeem(server, token),
    balance: (await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`))).services.test.balance,
    added: (await admin.get('/accounts/77')).status,
    keys: (JSON.parse((await get('/keycount')).body) as { keyCount: number }).keyCount, // the documented answer
    content: (await admin.get(`/contents/${ID}`)).status,
    events: (await eventsOf(server)).length,
  })
  const reset = async (keep: readonly string[]) => t.equal((await admin.post('/reset', { keep })).status, 204)

  await reset(['accounts', 'keys', 'contents', 'tokenKeys', 'clock', 'faults'])
  t.same(await state(), { token: 200, balance: 7, added: 200, keys: 1, content: 200, events: 1 })
  await reset(['accounts', 'keys', 'contents'])
  t.same(await state(), { token: -4010, balance: 7, added: 200, keys: 1, content: 200, events: 0 })
  await reset(['keys', 'contents'])
  t.same(await state(), { token: -4010, balance: 1_000_000, added: 404, keys: 1, content: 200, events: 0 })
  await reset(['contents'])
  t.match(await state(), { keys: 0, content: 200 })
  await reset([])
  t.match(await state(), { content: 404 })
})

onEach('a key that is kept goes with its account', {}, async (t, { server, admin }) => {
  await admin.post('/accounts', { id: 77, authenticators: { test: MINE } })
  const { post, get } = keystoreOf(server)
  const customerAuthenticator = MINE
  await post('/keys', { body: { kid: STORED_KID, ek: EK }, customerAuthenticator })
  await admin.post('/reset', { keep: ['keys'] })
  await admin.post('/accounts', { id: 77, authenticators: { test: MINE } })
  t.same(JSON.parse((await get('/keycount', { customerAuthenticator })).body), { keyCount: 0 })
})

onEach("a reset of one customer touches nothing of another's", {}, async (t, world) => {
  const { server, admin } = world
  const token = await use(world)
  const { get } = keystoreOf(server)
  await admin.post('/accounts', { id: 78 }).then(async answer => {
    const { authenticators } = (await answer.json()) as { authenticators: Record<string, string> } // as documented
    for (const one of Object.values(authenticators)) server.keepSecret(one)
  })
  t.equal((await admin.post('/reset', { customer: OTHER })).status, 204)
  t.equal(await outcome(await server.get({ customerAuthenticator: THREE })), 200)
  t.equal((await eventsOf(server)).length, 2, 'the log of the other')
  t.equal(await redeem(server, token), 200)
  t.same(JSON.parse((await get('/keycount')).body), { keyCount: 1 })
  t.equal((await server.get({}, { 'idempotency-key': 'order-1' })).headers.get('idempotency-replayed'), 'true')
  t.equal((await admin.get('/accounts/77')).status, 200)

  t.equal((await admin.post('/reset', { customer: CUSTOMER })).status, 204)
  t.match(await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`)), {
    services: { test: { balance: 1_000_000 } },
  })
  t.equal((await eventsOf(server)).length, 0)
  t.equal((await eventsOf(server, THREE)).length, 1)
  t.same(JSON.parse((await get('/keycount')).body), { keyCount: 0 })
  t.equal(await redeem(server, token), 200, 'the keys of tokens belong to no customer')
  t.equal((await admin.get(`/contents/${ID}`)).status, 200, 'nor do contents')

  t.equal((await admin.post('/reset', { customer: 77, keep: ['accounts'] })).status, 204)
  t.equal((await admin.get('/accounts/77')).status, 200)
  t.equal((await admin.post('/reset', { customer: 77 })).status, 204)
  t.equal((await admin.get('/accounts/77')).status, 404, 'the start did not make it')
  t.equal((await admin.get('/accounts/78')).status, 200)
  const unknown = await admin.post('/reset', { customer: 79 })
  t.match({ status: unknown.status, ...(await errorOf(unknown)) }, { status: 404, parameter: 'customer' })
})

onEach('under load, each request comes wholly before a reset or wholly after it', {}, async (t, { server, admin }) => {
  const START = 1_000_000
  const statuses = new Set<number>()
  let isOver = false
  const asking = async () => {
    while (!isOver) {
      const answer = await server.get()
      statuses.add(answer.status)
      await answer.text()
    }
  }
  const loads = Array.from({ length: 8 }, asking)
  for (let resets = 0; resets < 5; resets++) {
    while ((await eventsOf(server)).length < 20) await server.get()
    t.equal((await admin.post('/reset', {})).status, 204)
  }
  isOver = true
  await Promise.all(loads)
  const events = await eventsOf(server)
  const numbers = events.map(({ event_id }) => event_id)
  const { balance } = (await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`))).services.test
  t.same([...statuses], [200])
  t.same(
    numbers,
    Array.from(events, (_, index) => events.length - index),
    'no number is missing',
  )
  t.equal(balance, START - events.length, 'the balance is that of the log')
})

t.test('a reset waits for a token request whose caller is gone, and a new request waits for the reset', async t => {
  const asked = deferred()
  const held = deferred()
  const order: string[] = []
  const { app, services } = await appWith(t, {})
  const recordIssue = services.ledger.recordIssue.bind(services.ledger)
  services.ledger.recordIssue = async (event: LedgerEvent, charge) => {
    asked.resolve()
    await held.promise
    order.push('issued')
    return recordIssue(event, charge)
  }
  const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  const socket = connect(Number(url.port), url.hostname)
  socket.write(`GET ${playready.tokenPath}?${form()} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  await asked.promise
  socket.destroy()
  const resetting = services.emulator?.resets.reset({ keep: [] }).then(() => order.push('reset'))
  const next = app.inject(`/cmiapi/getrecord/?${new URLSearchParams({ customerAuthenticator: authenticators.own })}`)
  held.resolve()
  await resetting
  t.same(order, ['issued', 'reset'])
  t.same((await next).json(), { valid: true, events: [] }, 'what was issued before is gone')
})

t.test('a reset does not wait until an answer has arrived', async t => {
  const server = await startTestServer(t)
  const { hostname, port } = new URL(server.url)
  const open = () => connect(Number(port), hostname).on('error', () => {})
  const ask = `GET ${playready.tokenPath}?${form()} HTTP/1.1\r\nHost: localhost\r\n\r\n`
  server.faults.set([
    { id: 'hang', times: 1, effect: { connection: 'hang' } },
    { id: 'slow', after: 1, effect: { connection: 'slow' } },
  ])
  const [behindHanging, slow] = [open(), open()]
  behindHanging.write(ask + ask)
  await server.events.wait({ event: 'token_issued' })
  let answer = ''
  slow.on('data', (data: Buffer) => {
    answer += data.toString()
  })
  slow.write(ask)
  await server.events.wait({ event: 'token_issued' }, { times: 2 })
  await server.reset({ keep: ['faults'] })
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  t.notMatch(head, `content-length: ${body.length}`, 'it still arrives, a byte at a time')
  t.match(server.faults.list(), [{ acted: 1 }, { acted: 1 }])
  for (const socket of [behindHanging, slow]) socket.destroy()
})

t.test('a stored key whose body comes after a reset is of the account as it is then', async t => {
  const { app, services } = await appWith(t)
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  const body = JSON.stringify({ kid: STORED_KID, ek: EK })
  const store = async (customerAuthenticator: string, change: () => Promise<unknown>) => {
    const socket = connect(Number(port), '127.0.0.1')
    const answered = once(socket, 'data')
    const admitted = once(admissions, 'admitted')
    socket.write(
      `POST /keystore/keys?customerAuthenticator=${customerAuthenticator} HTTP/1.1\r\nHost: localhost\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    )
    await admitted
    await change()
    socket.write(body)
    const [answer] = await answered
    socket.destroy()
    return String(answer).slice(9, 12)
  }
  const admissions = new EventEmitter()
  const admit = services.limit.admit.bind(services.limit)
  services.limit.admit = (...args) => {
    admit(...args)
    admissions.emit('admitted')
  }
  const { emulator } = services
  t.equal(await store(authenticators.own, async () => emulator?.resets.reset({ keep: [] })), '201')
  t.equal(await services.keys.count({ customerId: CUSTOMER, environment: 'test' }), 1, 'it is stored after the reset')
  t.equal(await store(THREE, async () => emulator?.resets.removeAccount(OTHER)), '401')
  t.equal(await services.keys.count({ customerId: OTHER, environment: 'test' }), 0)
})

t.test('a reset forgets how often the tokens of a customer were refused', async t => {
  const server = await startLicenceServer(t)
  const expired = server.seal({ expiresAt: NOON })
  const refusedTimes = async () => {
    for (let times = 0; times < 5; times++)
      await server.ask('/hms/ck/rights/', { token: expired, body: clearKeyBody(KID) })
    return (await server.events()).length
  }
  t.equal(await refusedTimes(), 3, 'the others are only counted')
  await server.reset({ customer: OTHER })
  t.equal(await refusedTimes(), 3)
  await server.reset({ customer: CUSTOMER })
  t.equal(await refusedTimes(), 3, 'counted from the beginning')
})

t.test('whatever is sent to reset, snapshots and inspect gets a documented answer', async t => {
  const { app } = await appWith(t)
  const text = fc.string({ unit: 'grapheme', maxLength: 80 })
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), text)
  const names = ['keep', 'customer', 'name', 'token', 'at', 'address', 'deviceId', 'keys'] as const
  const bodies = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...names), text), value, { maxKeys: 4 }),
    fc.record({ keep: fc.array(fc.constantFrom(...KEPT)), customer: fc.constantFrom(5, 6, 7) }, { requiredKeys: [] }),
    fc.record({ name: fc.stringMatching(/^[A-Za-z0-9][\w.-]{0,8}$/) }),
  )
  const questions = fc.oneof(
    fc.record({
      method: fc.constant('POST' as const),
      path: fc.constantFrom('/reset', '/snapshots', '/inspect'),
      body: bodies,
    }),
    fc.record({
      method: fc.constantFrom('POST', 'DELETE', 'GET'),
      path: text.map(name => `/snapshots/${encodeURIComponent(name)}`),
      body: fc.constant(undefined),
    }),
    fc.record({
      method: fc.constant('POST' as const),
      path: text.map(name => `/snapshots/${encodeURIComponent(name)}/restore`),
      body: fc.constant(undefined),
    }),
    fc.record({
      method: fc.constant('DELETE' as const),
      path: text.map(name => `/accounts/${encodeURIComponent(name)}`),
      body: fc.constant(undefined),
    }),
  )
  const statuses = new Set<number>()
  await fc.assert(
    fc.asyncProperty(questions, async ({ method, path, body }) => {
      const answer = await app.inject({
        method,
        url: `/admin/api${path}`,
        headers: { host: 'localhost', ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { payload: JSON.stringify(body) }),
      })
      statuses.add(answer.statusCode)
      return [200, 201, 204, 400, 404, 405, 409].includes(answer.statusCode)
    }),
    { numRuns: repetitions({ usual: 500, long: 4000 }) },
  )
  for (const status of [201, 204, 400, 404]) t.ok(statuses.has(status), `${status}`)
})

t.test('a reset gives up where requests do not end, and changes nothing', async t => {
  const held = deferred()
  const { app, services, ask } = await appWith(t)
  const recordIssue = services.ledger.recordIssue.bind(services.ledger)
  services.ledger.recordIssue = async (event: LedgerEvent, charge) => {
    await held.promise
    return recordIssue(event, charge)
  }
  Object.assign(services.clock, { sleep: () => new Promise(resolve => setImmediate(resolve)) })
  const first = ask()
  await new Promise(resolve => setImmediate(resolve))
  const answer = await app.inject({ method: 'POST', url: '/admin/api/reset', headers: { host: 'localhost' } })
  t.match(answer.json(), { code: 503, message: /still being answered/ })
  held.resolve()
  t.equal((await first).statusCode, 200)
  t.equal(
    (await app.inject({ method: 'POST', url: '/admin/api/reset', headers: { host: 'localhost' } })).statusCode,
    204,
  )
})

function deferred() {
  let resolve = () => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve: () => resolve() }
}

t.test('token keys that are configured stay', async t => {
  const server = await startTestServer(t, { settings: { TOKEN_KEYS: '12'.repeat(32) } })
  const token = await tokenOf(await server.get())
  await server.reset()
  t.ok(server.openToken(token))
  const stored = await startTestServer(t, { settings: { DATA_DIR: t.testdir() } })
  const other = await tokenOf(await stored.get())
  await stored.reset()
  t.ok(stored.openToken(other), 'those of a data directory, too')
})

t.test('what a reset keeps sealed stays readable under new token keys', async t => {
  const random = (buffer: Uint8Array) => crypto.getRandomValues(buffer)
  const vault = new TokenVault([Buffer.alloc(32, 1)], random)
  const sealed = vault.texts.seal('place', 'text')
  vault.replaceKeys([Buffer.alloc(32, 2)])
  t.equal(vault.texts.open('place', sealed), 'text')
})

t.test('without an accounts file a reset brings back the demo account, whichever start it was', async t => {
  const settings = { DATABASE_URL: `sqlite:${t.testdir()}/demo.db` }
  for (const title of ['the first', 'the second']) {
    await using server = await startServer({ settings })
    const admin = administratorOf(server)
    t.equal((await admin.ask('DELETE', `/accounts/${CUSTOMER}`)).status, 204)
    await admin.post('/accounts', { id: 77 })
    await server.reset()
    t.match(
      await (await admin.get('/accounts')).json(),
      { accounts: [{ id: CUSTOMER, name: 'demo' }], next: null },
      title,
    )
  }
})

onEach('an account is removed with everything of it', {}, async (t, world) => {
  const { server, admin } = world
  const token = await use(world)
  t.equal((await admin.ask('DELETE', `/accounts/${CUSTOMER}`)).status, 204)
  t.equal((await admin.get(`/accounts/${CUSTOMER}`)).status, 404)
  t.equal(await outcome(await server.get()), -2018)
  t.equal(await redeem(server, token), -2031, 'its tokens are those of a disabled account')
  const again = await admin.ask('DELETE', `/accounts/${CUSTOMER}`)
  t.match({ status: again.status, ...(await errorOf(again)) }, { status: 404, parameter: 'id' })

  await admin.post('/accounts', { id: CUSTOMER, authenticators: { test: authenticators.own } })
  const { get } = keystoreOf(server)
  t.same(JSON.parse((await get('/keycount')).body), { keyCount: 0 })
  t.same(await eventsOf(server), [])
  t.equal(await outcome(await server.get()), 200)
  t.equal((await eventsOf(server))[0]?.event_id, 1)
  t.equal((await eventsOf(server, authenticators.strict)).length, 0)
})

t.test('what is no reset is refused, and changes nothing', async t => {
  const server = await startTestServer(t)
  const admin = administratorOf(server)
  await server.get()
  for (const [body, parameter] of [
    [{ keeps: ['accounts'] }, 'keeps'],
    [{ keep: 'accounts' }, 'keep'],
    [{ keep: ['acounts'] }, 'keep[0]'],
    [{ customer: '5' }, 'customer'],
    [{ customer: 0 }, 'customer'],
    ['null', undefined],
    ['[]', undefined],
  ] as const) {
    const answer = await admin.post('/reset', body)
    t.match({ status: answer.status, ...(await errorOf(answer)) }, { status: 400, code: 400 }, JSON.stringify(body))
    t.equal((await errorOf(await admin.post('/reset', body))).parameter, parameter)
  }
  t.equal((await admin.ask('POST', '/reset', 'keep=accounts', { 'content-type': 'text/plain' })).status, 415)
  t.equal((await admin.ask('DELETE', '/accounts/x')).status, 400)
  t.equal((await eventsOf(server)).length, 1)
})

t.test('a gateway has none of it', async t => {
  const { app } = await appWith(t, { upstream: 'http://127.0.0.1:1', settings: { ADMIN_TOKEN: 'x'.repeat(16) } })
  const headers = { authorization: `Bearer ${'x'.repeat(16)}` }
  for (const [method, path] of [
    ['POST', '/reset'],
    ['POST', '/snapshots'],
    ['GET', '/snapshots'],
    ['POST', '/snapshots/a/restore'],
    ['DELETE', '/snapshots/a'],
    ['POST', '/inspect'],
  ] as const)
    t.equal((await app.inject({ method, url: `/admin/api${path}`, headers })).statusCode, 404, path)
  const removal = await app.inject({ method: 'DELETE', url: '/admin/api/accounts/5', headers })
  t.equal(removal.statusCode, 405, 'accounts are only shown and changed')
})

t.test('a gateway loads nothing of it', async t => {
  const accounts = {
    accounts: [{ id: 9, authenticators: {}, upstream: { test: '201722,0123456789abcdef0123456789abcdef' } }],
  }
  const folder = t.testdir({ 'accounts.json': JSON.stringify(accounts) })
  const UPSTREAM_TEST_URL = 'http://127.0.0.1:9'
  const gateway = { MODE: 'gateway', UPSTREAM_TEST_URL, ACCOUNTS_FILE: join(folder, 'accounts.json') }
  const loadedBy = async (settings: Record<string, string>) => (await modulesOf(t, settings)).filter(isOfEmulator)
  t.same(await loadedBy({ ...gateway, DATABASE_URL: 'memory:' }), [])
  t.not((await loadedBy({})).length, 0)
})

function isOfEmulator(url: string): boolean {
  return /\/src\/emulator\/|fault-injection/.test(url)
}

/** The modules that a server has loaded when it listens. */
async function modulesOf(t: Test, settings: Record<string, string>): Promise<string[]> {
  const hooks = dataUrl(`import { writeSync } from 'node:fs'
    export function load(url, context, next) {
      writeSync(2, 'loads ' + url + '\\n')
      return next(url, context)
    }`)
  const preload = dataUrl(`import { register } from 'node:module'
    register(${JSON.stringify(hooks)})`)
  const child = spawn(process.execPath, ['--import', preload, resolve('dist/src/cli.js'), 'serve'], {
    env: { PATH: process.env.PATH, PORT: '0', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      output += part
    })
  const ended = once(child, 'close')
  while (!/listening/.test(output)) {
    const [code] = await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), ended])
    if (typeof code === 'number') throw new Error(`it ended: ${output.replace(/^loads .*\n/gm, '')}`)
  }
  child.kill('SIGTERM')
  await ended
  return [...output.matchAll(/^loads (.*)$/gm)].map(([, url = '']) => url)
}

function dataUrl(program: string): string {
  return `data:text/javascript,${encodeURIComponent(program)}`
}

t.test('the controls of a gateway say that only an emulator has them', async t => {
  const account = { id: 9, authenticators: { test: '9,00000000000000000000000000000009' } }
  const settings = {
    MODE: 'gateway',
    UPSTREAM_TEST_URL: 'http://127.0.0.1:1',
    UPSTREAM_PRODUCTION_URL: 'http://127.0.0.1:1',
  }
  const upstream = { test: '777,7e577e577e577e577e577e577e577e57', production: '777,7e577e577e577e577e577e577e577e57' }
  await using server = await startServer({ settings, accounts: [{ ...account, upstream }] })
  await t.rejects(server.reset(), ConfigError)
  await t.rejects(server.snapshots.save('a'), /MODE=gateway/)
  await t.rejects(server.inspect('a'), ConfigError)
})
