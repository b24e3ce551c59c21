import { X509Certificate } from 'node:crypto'
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { Agent, get, request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import type { TokenAnswer } from '../schemas/answers.js'
import { Authority } from '../src/certificates/authority.js'
import { realHosts } from '../src/ground/real-hosts.js'
import { form, startTestServer } from './harness.js'

interface Answered {
  readonly status: number
  readonly body: string
}

/** Asks the TLS listener under any name. */
function ask(
  tlsUrl: string | undefined,
  path: string,
  options: { ca?: string; name?: string; host?: string; agent?: Agent } = {},
) {
  const { port = '', hostname = '' } = new URL(tlsUrl ?? '')
  const { name = 'localhost', host = name, ...tls } = options
  return new Promise<Answered>((resolve, reject) => {
    const asked = get(
      { ...tls, host: hostname, port, path, servername: name, headers: { host, accept: 'application/json' } },
      async response => {
        const chunks: Buffer[] = []
        for await (const chunk of response) chunks.push(chunk)
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() })
      },
    )
    asked.on('error', reject)
  })
}

/** What a handshake gets. */
async function handshake(tlsUrl: string | undefined, options: object) {
  const { port, hostname } = new URL(tlsUrl ?? '')
  const socket = connect({ host: hostname, port: Number(port), ...options })
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  const certificate = socket.getPeerX509Certificate()
  const made = { version: socket.getProtocol(), protocol: socket.alpnProtocol, certificate }
  socket.destroy()
  return made
}

const token = `/hms/pr/token?${form()}`

t.test('TLS=development serves the same application under every name of the real service', async t => {
  const server = await startTestServer(t, { tls: 'development' })
  const { tlsUrl, ca = '' } = server
  t.match(tlsUrl, /^https:\/\/127\.0\.0\.1:\d+$/)
  const older = ['ms3-gen-7.eval.hostedmarlin.com', 'Anything.Service.HostedMarlin.com']
  for (const name of ['localhost', ...realHosts(), ...older]) {
    const { status, body } = await ask(tlsUrl, token, { ca, name })
    t.match({ status, body }, { status: name.includes('service.') || name.includes('Service.') ? 401 : 200 }, name)
  }
  await t.rejects(ask(tlsUrl, token, {}), { code: /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO/ }, 'who does not trust it')
  await t.rejects(ask(tlsUrl, token, { ca, name: 'www.example.com' }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  t.equal((await fetch(`${server.url}/healthz`)).status, 200, 'plain HTTP is served as before')
})

t.test('a licence URL is https where the request came over TLS', async t => {
  const { tlsUrl, ca = '' } = await startTestServer(t, { tls: 'development' })
  const widevine = `/hms/wv/token?${form({}, { name: 'widevine' })}`
  const urlFor = async (path: string, name: string) =>
    (JSON.parse((await ask(tlsUrl, path, { ca, name })).body) as TokenAnswer).licenseAcquisitionUrl
  t.equal(await urlFor(widevine, 'wv-gen.test.expressplay.com'), 'https://wv.test.expressplay.com/hms/wv/rights/')
  t.equal(
    await urlFor(token, 'pr-gen.test.expressplay.com'),
    'http://pr.test.expressplay.com/playready/RightsManager.asmx',
  )
})

t.test('a licence URL of the other scheme has the port of the other listener', async t => {
  const { url, tlsUrl = '', ca = '' } = await startTestServer(t, { tls: 'development' })
  const { host } = new URL(tlsUrl)
  const urlOf = (body: string) => (JSON.parse(body) as TokenAnswer).licenseAcquisitionUrl
  const asked = async (useHttps: string) =>
    urlOf((await ask(tlsUrl, `/hms/pr/token?${form({ useHttps })}`, { ca, host })).body)
  t.equal(await asked('true'), `${tlsUrl}/playready/RightsManager.asmx`)
  t.equal(await asked('false'), `${url}/playready/RightsManager.asmx`)
  const headers = { accept: 'application/json' }
  const plain = async (useHttps: string) =>
    urlOf(await (await fetch(`${url}/hms/pr/token?${form({ useHttps })}`, { headers })).text())
  t.equal(await plain('true'), `${tlsUrl}/playready/RightsManager.asmx`)
  t.equal(await plain('false'), `${url}/playready/RightsManager.asmx`)
})

t.test('TLS 1.2 and 1.3 are spoken, with HTTP/1.1, and nothing older', async t => {
  const { tlsUrl, ca } = await startTestServer(t, { tls: 'development' })
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const made = await handshake(tlsUrl, {
      ...{ ca, servername: 'localhost', minVersion: version, maxVersion: version },
      ALPNProtocols: ['h2', 'http/1.1'],
    })
    t.same([made.version, made.protocol], [version, 'http/1.1'])
  }
  const old = { ca, servername: 'localhost', minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' }
  await t.rejects(handshake(tlsUrl, old))
})

t.test('the authority is made once, stays in the data directory, and can sign for no foreign name', async t => {
  const DATA_DIR = t.testdir()
  const first = await startTestServer(t, { tls: 'development', settings: { DATA_DIR, DATABASE_URL: 'memory:' } })
  const key = join(DATA_DIR, 'tls', 'ca.key.pem')
  if (process.platform !== 'win32') t.equal(statSync(key).mode & 0o777, 0o600)
  t.equal(readFileSync(join(DATA_DIR, 'tls', 'ca.pem'), 'utf8'), first.ca)
  const second = await startTestServer(t, { tls: 'development', settings: { DATA_DIR, DATABASE_URL: 'memory:' } })
  t.equal(second.ca, first.ca)
  t.equal(await (await fetch(`${first.url}/admin/api/ca.pem`)).text(), first.ca)

  const { certificate } = await handshake(first.tlsUrl, { ca: first.ca, servername: 'localhost' })
  const days = (Date.parse(certificate?.validTo ?? '') - Date.now()) / 86_400_000
  t.ok(days > 6 && days <= 7, 'a leaf lives for a week')

  const authority = await Authority.read({ cert: first.ca ?? '', key: readFileSync(key, 'utf8') })
  const validity = { notBefore: new Date(Date.now() - 1000), notAfter: new Date(Date.now() + 60_000) }
  const files = t.testdir({})
  for (const [name, isForeign] of [
    ['DNS:www.example.com', true],
    ['IP:8.8.8.8', true],
    ['DNS:pr.test.expressplay.com', false],
  ] as const) {
    const leaf = await authority.issue({ subject: 'CN=x', names: [name], usages: ['server'], ...validity })
    const [TLS_CERT, TLS_KEY] = [join(files, 'cert.pem'), join(files, 'key.pem')]
    writeFileSync(TLS_CERT, leaf.cert + (first.ca ?? ''))
    writeFileSync(TLS_KEY, leaf.key)
    const server = await startTestServer(t, { settings: { TLS_PORT: 0, TLS_CERT, TLS_KEY } })
    const servername = name.startsWith('DNS:') ? name.slice(4) : ''
    const trying = handshake(server.tlsUrl, { ca: first.ca, servername, checkServerIdentity: () => undefined })
    if (isForeign) await t.rejects(trying, { message: 'permitted subtree violation' }, name)
    else await t.resolves(trying, name)
  }
})

t.test('without TLS=development there is no authority to hand out', async t => {
  const server = await startTestServer(t)
  t.same([server.tlsUrl, server.ca], [undefined, undefined])
  t.equal((await fetch(`${server.url}/admin/api/ca.pem`)).status, 404)
})

t.test('the authority is handed out to everyone, also where administration needs a token or is off', async t => {
  const request = { environment: 'test', customerId: 1, parameters: {}, secrets: [] }
  const recording = { format: 1, recordedAt: '2026-06-01T12:00:00Z', request, failure: 'timed out' }
  const RECORD_DIR = t.testdir({ '1.json': JSON.stringify(recording) })
  const development = { tls: 'development' } as const
  for (const [title, settings] of Object.entries({
    'to other machines': {},
    'with ADMIN_TOKEN': { ADMIN_TOKEN: 'a-token-of-32-characters-exactly' },
    'of a replay': { MODE: 'replay', RECORD_DIR },
  })) {
    const { url, ca } = await startTestServer(t, { ...development, settings })
    // What a reverse proxy adds, so that administration knows a client of another machine.
    const answer = await fetch(`${url}/admin/api/ca.pem`, { headers: { 'x-forwarded-for': '203.0.113.9' } })
    t.match({ status: answer.status, text: await answer.text() }, { status: 200, text: ca ?? '' }, title)
    t.equal(answer.headers.get('content-type'), 'application/pem-certificate-chain')
    t.not((await fetch(`${url}/admin/api/accounts`, { headers: { 'x-forwarded-for': '203.0.113.9' } })).status, 200)
  }
})

t.test('a renewed certificate is served without a restart, and no request fails meanwhile', async t => {
  const folder = t.testdir()
  const [TLS_CERT, TLS_KEY] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const validity = { notBefore: new Date(Date.now() - 1000), notAfter: new Date(Date.now() + 3_600_000) }
  const authority = await Authority.create('CN=test', validity)
  const serials: string[] = []
  const write = async () => {
    const leaf = await authority.issue({ subject: 'CN=x', names: ['DNS:localhost'], usages: ['server'], ...validity })
    // As a volume does it: each file whole, one after the other.
    for (const [path, text] of [
      [TLS_KEY, leaf.key],
      [TLS_CERT, leaf.cert],
    ] as const) {
      writeFileSync(`${path}.new`, text)
      renameSync(`${path}.new`, path)
    }
    serials.push(new X509Certificate(leaf.cert).serialNumber)
  }
  await write()
  const server = await startTestServer(t, { settings: { TLS_PORT: 0, TLS_CERT, TLS_KEY }, now: Date.now })
  const { tlsUrl, log } = server
  const serial = async () =>
    (await handshake(tlsUrl, { ca: authority.cert, servername: 'localhost' })).certificate?.serialNumber

  t.equal(await serial(), serials[0])
  let isDone = false
  const statuses = new Set<number>()
  const load = Array.from({ length: 8 }, async () => {
    while (!isDone) statuses.add((await ask(tlsUrl, '/healthz', { ca: authority.cert, agent: new Agent() })).status)
  })
  writeFileSync(TLS_KEY, 'no key')
  await until(() => log.some(line => line.includes('the old one stays')))
  t.equal(await serial(), serials[0])
  await write()
  await until(() => log.some(line => line.includes('the TLS certificate was renewed')))
  t.equal(await serial(), serials[1])
  isDone = true
  await Promise.all(load)
  t.same([...statuses], [200])
})

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await pause(10)
}

t.test('settings that do not fit are refused by their names', async t => {
  const folder = t.testdir({ 'not.pem': 'nothing' })
  const file = join(folder, 'not.pem')
  const refused = (settings: Record<string, string>, message: RegExp) =>
    t.rejects(startTestServer(t, { settings }), { message })
  await refused({ TLS_PORT: '0' }, /TLS_PORT needs TLS_CERT and TLS_KEY, or TLS=development/)
  await refused({ TLS: 'development' }, /TLS has no use without TLS_PORT/)
  await refused({ TLS_PORT: '0', TLS: 'yes' }, /TLS must be/)
  await refused({ TLS_PORT: '0', TLS_CERT: file, TLS_KEY: file }, /TLS_CERT has no certificate in PEM/)
  await refused({ TLS_PORT: '0', TLS: 'development', TLS_CERT: file, TLS_KEY: file }, /must not be given/)
  await refused({ TLS_PORT: '0', TLS_CERT: join(folder, 'none.pem'), TLS_KEY: file }, /TLS_CERT/)
})

t.test('a request in flight over TLS is answered while the server closes', async (t: Test) => {
  const server = await startTestServer(t, { tls: 'development' })
  const { port, hostname } = new URL(server.tlsUrl ?? '')
  const agent = new Agent({ keepAlive: true })
  const options = { host: hostname, port, ca: server.ca, servername: 'localhost', agent, path: '/hms/pr/token' }
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': form().toString().length }
  const asked = request({ ...options, method: 'POST', headers })
  const status = new Promise(resolve => asked.on('response', response => resolve(response.resume().statusCode)))
  const arrived = new Promise(resolve => asked.on('socket', socket => socket.once('secureConnect', resolve)))
  asked.write(form().toString().slice(0, 10))
  await arrived
  // The other end has the head when it answers another request on another connection.
  await ask(server.tlsUrl, '/healthz', server.ca === undefined ? {} : { ca: server.ca })
  const closing = server.close()
  asked.end(form().toString().slice(10))
  t.equal(await status, 200)
  await closing
  await t.rejects(handshake(server.tlsUrl, { ca: server.ca, servername: 'localhost' }), { code: 'ECONNREFUSED' })
  agent.destroy()
})
