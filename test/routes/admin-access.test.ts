import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { request as requestTls } from 'node:https'
import { connect, isIPv6 } from 'node:net'
import t, { type Test } from 'tap'
import { adminAccess } from '../../src/http/admin-access.js'
import { administratorOf } from '../administrator.js'
import { type AppOptions, appWith } from '../app.js'
import { errorOf, startTestServer } from '../harness.js'

const TOKEN = 'a-token-of-32-characters-exactly'

/** With headers that fetch does not let anybody set. */
function ask(url: string, headers: Record<string, string>, method = 'GET'): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/admin/api/accounts`, { method, headers }, async answer => {
      let body = ''
      for await (const chunk of answer) body += chunk
      resolve({ status: answer.statusCode ?? 0, body })
    })
    sent.on('error', reject).end()
  })
}

t.test('without a token, an emulator is administered from this machine', async t => {
  const { url } = await startTestServer(t)
  const { port } = new URL(url)
  const admitted: Record<string, Record<string, string>> = {
    'by its address': {},
    'by its address of version 6': { host: `[::1]:${port}` },
    'by its name': { host: 'localhost' },
    'by its name in capitals': { host: `LOCALHOST:${port}` },
    'from a page of its own': { origin: url },
  }
  for (const [title, headers] of Object.entries(admitted)) t.equal((await ask(url, headers)).status, 200, title)

  const refused: Record<string, [reason: RegExp, headers: Record<string, string>]> = {
    'a name that someone lets resolve to it': [/Host/, { host: `evil.example:${port}` }],
    'a name that begins like one of its own': [/Host/, { host: 'localhost.evil.example' }],
    'a name that begins like an address of its own': [/Host/, { host: '127.0.0.1.evil.example' }],
    'another address': [/Host/, { host: '0.0.0.0' }],
    'a proxy that says for whom': [/x-forwarded-for/, { 'x-forwarded-for': '203.0.113.9' }],
    'a proxy that says for which host': [/x-forwarded-host/, { 'x-forwarded-host': 'drm.example.com' }],
    'a proxy that keeps to the standard': [/forwarded/, { forwarded: 'for=203.0.113.9' }],
    'a proxy that only names itself': [/via/, { via: '1.1 proxy' }],
    'a page of another site': [/page of another site/, { origin: 'https://evil.example' }],
    'an image of another site': [/page of another site/, { 'sec-fetch-site': 'cross-site' }],
    'a page of another server on this machine': [/page of another site/, { origin: 'http://127.0.0.1:1' }],
    'a page that hides its site': [/page of another site/, { origin: 'null' }],
  }
  for (const [title, [reason, headers]] of Object.entries(refused))
    await isRefused(t, title, await ask(url, headers), reason)

  const token = { authorization: `Bearer ${TOKEN}` }
  const answer = await ask(url, { ...token, host: 'evil.example' })
  await isRefused(t, 'no token counts where none is set', answer, /Host/)
})

t.test('a page that the server itself sent over TLS is of the same site', async t => {
  const server = await startTestServer(t, { settings: { TLS_PORT: 0, TLS: 'development' } })
  const tlsUrl = server.tlsUrl ?? ''
  const { port } = new URL(tlsUrl)
  const status = async (origin: string) => {
    const sent = requestTls(`${tlsUrl}/admin/api/accounts`, { ca: server.ca, headers: { origin } }).end()
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    answer.resume()
    return answer.statusCode
  }
  t.equal(await status(`https://127.0.0.1:${port}`), 200)
  t.equal(await status(`http://127.0.0.1:${port}`), 403, 'what is there without TLS is another site')
  t.equal((await ask(server.url, { origin: server.url.replace('http:', 'https:') })).status, 403)
})

async function isRefused(t: Test, title: string, { status, body }: { status: number; body: string }, reason: RegExp) {
  t.equal(status, 403, title)
  t.match(JSON.parse(body), { code: 403, message: /Without ADMIN_TOKEN/ }, title)
  t.match(JSON.parse(body).message, reason, title)
}

t.test('without a token, a replay is administered from this machine, and a gateway is not', async t => {
  const statuses = async (options: AppOptions, headers: Record<string, string>) => {
    const { app } = await appWith(t, options)
    const questions = ADMINISTERED.map(([method, path]) => app.inject({ method, url: `/admin/api${path}`, headers }))
    return new Set((await Promise.all(questions)).map(({ statusCode }) => statusCode))
  }
  const recording = {
    format: 1,
    recordedAt: '2026-06-01T12:00:00.000Z',
    request: { environment: 'test', customerId: 777, parameters: { cookie: 'a' }, secrets: [] },
    answer: { status: 400, json: { code: -2019, message: 'Balance used up' } },
  }
  const RECORD_DIR = t.testdir({ '1.json': JSON.stringify(recording) })
  const replay = { settings: { MODE: 'replay', RECORD_DIR } }
  t.same(await statuses(replay, { host: 'localhost' }), new Set([200, 400, 204]))
  t.same(await statuses(replay, { host: 'evil.example' }), new Set([403]))
  t.same(await statuses(replay, { host: 'localhost', origin: 'https://evil.example' }), new Set([403]))
  t.same(await statuses({ upstream: 'http://127.0.0.1:1' }, { host: 'localhost' }), new Set([404]))
})

const ADMINISTERED = [
  ['GET', '/accounts'],
  ['GET', '/snapshots'],
  ['POST', '/snapshots'],
  ['POST', '/inspect'],
  ['POST', '/reset'],
] as const

t.test('names of this machine may be added', async t => {
  const { url } = await startTestServer(t, { settings: { ADMIN_HOSTS: 'drm.local, workstation' } })
  for (const [host, status] of [
    ['drm.local', 200],
    ['Workstation:8080', 200],
    ['127.8.9.10', 200],
    ['other.local', 403],
  ] as const)
    t.equal((await ask(url, { host })).status, status, host)
  for (const ADMIN_HOSTS of ['a b', 'http://drm.local', 'drm.local:8080', '-'])
    t.match(await startTestServer(t, { settings: { ADMIN_HOSTS } }).then(() => 'started', String), /ADMIN_HOSTS must/)
})

t.test('no number of headers hides what a proxy says, on any address', async t => {
  for (const HOST of ['127.0.0.1', 'localhost']) {
    const { url } = await startTestServer(t, { settings: { HOST } })
    for (const { address } of await lookup(HOST, { all: true })) {
      const target = new URL(url)
      target.hostname = isIPv6(address) ? `[${address}]` : address
      const text = await exchange(target, `${'a:\r\n'.repeat(2500)}X-Forwarded-For: 203.0.113.9\r\n`)
      t.match(text, /^HTTP\/1\.1 403 .*x-forwarded-for/s, address)
      t.match(await exchange(target, 'a:\r\n'.repeat(2500)), /^HTTP\/1\.1 200 /, address)
      t.match(
        await exchange(target, 'a:\r\n'.repeat(20_000)),
        /^HTTP\/1\.1 431 /,
        'how long they are together is bounded',
      )
    }
  }
})

async function exchange({ host, hostname, port }: URL, headers: string): Promise<string> {
  const socket = connect(Number(port), hostname.replace(/[[\]]/g, ''))
  let text = ''
  socket.on('data', chunk => {
    text += chunk
  })
  socket.write(`GET /admin/api/accounts HTTP/1.1\r\n${headers}Host: ${host}\r\nConnection: close\r\n\r\n`)
  await once(socket, 'close')
  return text
}

t.test('without a token, nothing but an emulator on a connection from this machine lets anybody in', async t => {
  t.equal(adminAccess(undefined, false), undefined)
  const from = (remoteAddress: string | undefined) => {
    const connection = { socket: { remoteAddress }, headers: { host: 'localhost' } }
    // Of a socket only the address is looked at.
    return adminAccess(undefined, true)?.(connection as Parameters<NonNullable<ReturnType<typeof adminAccess>>>[0])
  }
  for (const address of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1']) t.equal(from(address), 'admitted')
  for (const address of ['172.17.0.1', '::', 'fe80::1', '::ffff:10.0.0.1', '128.127.0.1', undefined])
    t.match(from(address), { refused: /this connection comes from another/ }, String(address))
})

t.test('with a token, it is asked for everywhere', async t => {
  const server = await startTestServer(t, { settings: { ADMIN_TOKEN: TOKEN } })
  server.keepSecret(TOKEN)
  t.equal((await administratorOf(server, TOKEN).get('/accounts')).status, 200)
  const fromAfar = { authorization: `bearer ${TOKEN}`, host: 'drm.example.com', 'x-forwarded-for': '203.0.113.9' }
  t.equal((await ask(server.url, fromAfar)).status, 200, 'it is enough')

  const wrong = [undefined, '', TOKEN.slice(1), `${TOKEN}x`, TOKEN.toUpperCase(), `${TOKEN} ${TOKEN}`, 'ä'.repeat(32)]
  const reasons: [Record<string, string>, RegExp][] = [
    [{}, /has no Authorization header/],
    [{ authorization: `Basic ${TOKEN}` }, /Authorization header of this request is none such/],
    [{ authorization: `Bearer ${TOKEN}x` }, /has another token/],
  ]
  for (const [headers, reason] of reasons)
    t.match((await errorOf(await administratorOf(server).ask('GET', '/accounts', undefined, headers))).message, reason)

  for (const authorization of [...wrong.map(token => token && `Bearer ${encodeURI(token)}`), TOKEN, `Basic ${TOKEN}`])
    for (const [method, path] of [
      ['GET', '/accounts'],
      ['POST', '/accounts'],
      ['DELETE', '/accounts/2'],
      ['GET', '/nothing'],
    ] as const) {
      const headers = authorization === undefined ? {} : { authorization }
      const answer = await administratorOf(server).ask(method, path, method === 'POST' ? {} : undefined, headers)
      await isUnauthorized(t, answer)
    }
})

async function isUnauthorized(t: Test, answer: Response) {
  t.equal(answer.status, 401)
  t.equal(answer.headers.get('www-authenticate'), 'Bearer realm="admin"')
  t.equal(answer.headers.get('content-type'), 'application/json')
  const error = await errorOf(answer)
  t.match(error, { code: 401, requestId: answer.headers.get('x-request-id') })
  t.notMatch(error.message, TOKEN)
}

t.test('an admin token must be long enough and fit into a header', async t => {
  for (const ADMIN_TOKEN of ['x'.repeat(15), `${'x'.repeat(16)} x`, `${'x'.repeat(16)}ä`]) {
    const failure = await startTestServer(t, { settings: { ADMIN_TOKEN } }).then(() => 'started', String)
    t.match(failure, /ADMIN_TOKEN must have at least 16 characters/)
    t.notMatch(failure, 'xxxx')
  }
})
