import { request } from 'node:http'
import t, { type Test } from 'tap'
import { adminAccess } from '../../src/admin-access.js'
import { administratorOf } from '../administrator.js'
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

  const hidden: Record<string, Record<string, string>> = {
    'a name that someone lets resolve to it': { host: `evil.example:${port}` },
    'a name that begins like one of its own': { host: 'localhost.evil.example' },
    'another address': { host: '0.0.0.0' },
    'a proxy that says for whom': { 'x-forwarded-for': '203.0.113.9' },
    'a proxy that says for which host': { 'x-forwarded-host': 'drm.example.com' },
    'a proxy that keeps to the standard': { forwarded: 'for=203.0.113.9' },
    'a proxy that only names itself': { via: '1.1 proxy' },
    'a page of another site': { origin: 'https://evil.example' },
    'a page of another server on this machine': { origin: 'http://127.0.0.1:1' },
    'a page that hides its site': { origin: 'null' },
  }
  for (const [title, headers] of Object.entries(hidden))
    for (const method of ['GET', 'POST', 'PUT']) t.match(await ask(url, headers, method), unknownPath, title)

  const token = { authorization: `Bearer ${TOKEN}` }
  t.match(await ask(url, { ...token, host: 'evil.example' }), unknownPath, 'no token counts where none is set')
})

const unknownPath = { status: 404, body: /<!doctype html>.*Not found/s }

t.test('without a token, nothing but an emulator on a connection from this machine lets anybody in', async t => {
  t.equal(adminAccess(undefined, false), undefined)
  const from = (remoteAddress: string | undefined) => {
    const connection = { socket: { remoteAddress }, headers: { host: 'localhost' } }
    // Of a socket only the address is looked at.
    return adminAccess(undefined, true)?.(connection as Parameters<NonNullable<ReturnType<typeof adminAccess>>>[0])
  }
  for (const address of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1']) t.equal(from(address), 'admitted')
  for (const address of ['172.17.0.1', '::', 'fe80::1', '::ffff:10.0.0.1', '128.127.0.1', undefined])
    t.equal(from(address), 'hidden', String(address))
})

t.test('with a token, it is asked for everywhere', async t => {
  const server = await startTestServer(t, { settings: { ADMIN_TOKEN: TOKEN } })
  server.keepSecret(TOKEN)
  t.equal((await administratorOf(server, TOKEN).get('/accounts')).status, 200)
  const fromAfar = { authorization: `bearer ${TOKEN}`, host: 'drm.example.com', 'x-forwarded-for': '203.0.113.9' }
  t.equal((await ask(server.url, fromAfar)).status, 200, 'it is enough')

  const wrong = [undefined, '', TOKEN.slice(1), `${TOKEN}x`, TOKEN.toUpperCase(), `${TOKEN} ${TOKEN}`, 'ä'.repeat(32)]
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
