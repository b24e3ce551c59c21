import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { pino } from 'pino'
import t from 'tap'
import { readConfig } from '../../src/config/config.js'
import { pooledRandomness } from '../../src/ground/randomness.js'
import { httpServer } from '../../src/http/http-server.js'
import { startServer } from '../../src/index.js'
import { Metrics } from '../../src/metrics.js'
import { TestAuthority, type TestCertificateParts } from './certificates.js'
import { ask, type LogLine, logged, refusedClients, startMutualTls, WARN } from './mutual-tls.js'

const HOUR_MS = 3_600_000
const inHours = (hours: number) => new Date(Date.now() + hours * HOUR_MS)

t.test('a client of the authority is let in, with TLS 1.3 and 1.2', async t => {
  const { url, authority } = await startMutualTls(t)
  const client = await authority.issue({ usage: 'client' })
  t.match(url, /^https:\/\/127\.0\.0\.1:\d+$/)
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    const answer = await ask(url, { ca: authority.cert, ...client, maxVersion })
    t.match(answer, { status: 200, body: { isAllowed: false } }, maxVersion)
  }
})

t.test('who may not come in is refused in the handshake, and the log says why', async t => {
  const { server, url, authority } = await startMutualTls(t)
  const foreign = await TestAuthority.create('Foreign authority')
  const refused: [string, TestAuthority, TestCertificateParts, { reason: string; code: string }][] = [
    ['foreign authority', foreign, {}, { reason: 'unknown authority', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }],
    [
      'expired',
      authority,
      { notBefore: inHours(-2), notAfter: inHours(-1) },
      { reason: 'expired', code: 'CERT_HAS_EXPIRED' },
    ],
    ['not yet valid', authority, { notBefore: inHours(1) }, { reason: 'not yet valid', code: 'CERT_NOT_YET_VALID' }],
    ['for servers only', authority, { usage: 'server' }, { reason: 'not for clients', code: 'INVALID_PURPOSE' }],
  ]
  let count = 0
  for (const [name, issuer, parts, told] of refused)
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
      const client = await issuer.issue({ usage: 'client', ...parts })
      await t.rejects(ask(url, { ca: authority.cert, ...client, maxVersion }), { code: 'ECONNRESET' }, name)
      count += 1
      t.match(
        (await logged(server, 'client refused', count)).at(-1),
        { ...told, level: WARN, address: '127.0.0.1' },
        name,
      )
    }
  t.same(await logged(server, 'answered', 0), [], 'nothing of HTTP was read')
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  t.match(metrics, 'expressplay_entitlement_handshakes_refused_total{reason="unknown authority"} 2')
})

t.test('without a certificate the handshake ends with an alert', async t => {
  const { server, url, authority } = await startMutualTls(t)
  const alerts = { 'TLSv1.3': /alert certificate required/, 'TLSv1.2': /alert handshake failure/ }
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const)
    await t.rejects(ask(url, { ca: authority.cert, maxVersion }), { message: alerts[maxVersion] })
  for (const line of await logged(server, 'client refused', 2))
    t.match(line, { level: WARN, address: '127.0.0.1', reason: 'no certificate' })
})

t.test('what would weaken every TLS of a process weakens not this one', async t => {
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
  })
  const { url, authority } = await startMutualTls(t)
  const foreign = await TestAuthority.create('Foreign authority')
  await t.rejects(ask(url, { ca: authority.cert, ...(await foreign.issue()) }), { code: 'ECONNRESET' })
  await t.rejects(ask(url, { ca: authority.cert }), { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' })
})

t.test('TLS 1.1, plain HTTP and garbage are refused', async t => {
  const { server, url, authority } = await startMutualTls(t)
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  const client = await authority.issue()
  await t.rejects(ask(url, { ca: authority.cert, ...client, ...old }), { message: /alert protocol version/ })
  t.match(await logged(server, 'client refused'), [{ reason: 'protocol version', level: WARN }])

  for (const bytes of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', '\0'.repeat(200)]) {
    const socket = connectTcp(Number(new URL(url).port), '127.0.0.1')
    socket.end(bytes)
    const received = await socket.setEncoding('latin1').toArray()
    t.notMatch(received.join(''), 'HTTP/1.1', 'the answer is no HTTP')
  }
  const lines = await logged(server, 'client refused', 3)
  t.match(lines.slice(1), [{ reason: 'no TLS' }, { reason: 'no TLS' }])
  t.match(await ask(url, { ca: authority.cert, ...client }), { status: 200 })
})

t.test('a client that hangs up is told of where it has said something', async t => {
  const { server, url } = await startMutualTls(t)
  const port = Number(new URL(url).port)
  await connectTcp(port, '127.0.0.1').end().resume().toArray()
  await connectTcp(port, '127.0.0.1').end('\x16\x03\x01\x02\x00', 'latin1').resume().toArray()
  const lines = await logged(server, 'handshake broken off by the client', 2)
  t.match(lines, [
    { level: 20, address: '127.0.0.1' },
    { level: 30, address: '127.0.0.1' },
  ])
  t.same(await logged(server, 'client refused', 0), [])
})

t.test('a client that does not accept our certificate', async t => {
  const { server, url, authority } = await startMutualTls(t)
  const other = await TestAuthority.create('Other authority')
  await t.rejects(ask(url, { ca: other.cert, ...(await authority.issue()) }), { code: /SELF_SIGNED|UNABLE_TO/ })
  t.match(await logged(server, 'handshake broken off by the client'), [{ address: '127.0.0.1' }])
})

t.test('a client that says why it does not accept our certificate', async t => {
  const { server, url } = await startMutualTls(t)
  const alerts = { bad: 42, unsupported: 43, revoked: 44, expired: 45, unknown: 46, 'unknown authority': 48 }
  for (const alert of Object.values(alerts)) {
    const socket = connectTcp(Number(new URL(url).port), '127.0.0.1')
    const hello = new Duplex({ read() {}, write: chunk => void socket.write(chunk) })
    connectTls({ socket: hello, maxVersion: 'TLSv1.2' }).on('error', () => {})
    await once(socket, 'data')
    socket.write(Buffer.from([0x15, 3, 3, 0, 2, 2, alert]))
    await once(socket.resume(), 'close')
  }
  for (const line of await refusedClients(server, Object.keys(alerts).length))
    t.match(line, { level: WARN, reason: 'server certificate not accepted', code: /^ERR_SSL_[A-Z\d_/]+_ALERT_/ })
})

t.test('who sends slowly is not waited for longer than half a minute, with TLS or without', async t => {
  const logger = pino({ level: 'silent' })
  const parts = { config: readConfig({}), random: pooledRandomness(), logger, metrics: new Metrics() }
  for (const { server } of [httpServer(parts), httpServer({ ...parts, createServer })])
    t.equal(Math.max(server.requestTimeout, server.headersTimeout), 30_000, 'Node takes the longer one')
})

t.test('only the clients that are named are let in', async t => {
  const { server, url, authority } = await startMutualTls(t, {
    settings: { ENTITLEMENT_CLIENTS: 'CN=player,O=Example; URI:urn:player' },
  })
  for (const parts of [
    { subject: 'C=DE,O=Example,CN=player' },
    { subject: 'CN=x', names: ['DNS:x', 'URI:urn:player'] },
  ])
    t.match(await ask(url, { ca: authority.cert, ...(await authority.issue(parts)) }), { status: 200 })
  const answered = (await logged(server, 'answered', 2)).length
  for (const parts of [{ subject: 'CN=player,O=Other' }, { names: ['DNS:urn:player'], subject: 'CN=y' }])
    await t.rejects(ask(url, { ca: authority.cert, ...(await authority.issue(parts)) }), { code: 'ECONNRESET' })
  const told = { level: WARN, address: '127.0.0.1', reason: 'not allowed', serial: /^[0-9A-F]+$/ }
  t.match(await logged(server, 'client refused', 2), [
    { ...told, subject: 'CN=player,O=Other' },
    { ...told, subject: 'CN=y' },
  ])
  t.equal((await logged(server, 'answered', 0)).length, answered, 'nothing of HTTP was read')
})

t.test('the log shows the subject as it would be allowed, and never more than a line of it', async t => {
  const { server, url, authority } = await startMutualTls(t, { settings: { ENTITLEMENT_CLIENTS: 'CN=somebody' } })
  for (const subject of ['CN=play\\,er,O=Example', `CN=${'x'.repeat(60)},${Array(20).fill(`OU=${'y'.repeat(60)}`)}`])
    await t.rejects(ask(url, { ca: authority.cert, ...(await authority.issue({ subject })) }))
  const [short, long] = await logged(server, 'client refused', 2)
  t.equal(short?.subject, 'CN=play\\,er,O=Example')
  t.equal(String(long?.subject).length, 201)
})

t.test('bytes that come with the handshake of a client who is not allowed are not read', async t => {
  const { server, url, authority } = await startMutualTls(t, { settings: { ENTITLEMENT_CLIENTS: 'CN=somebody' } })
  const client = await authority.issue()
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    const socket = connectTls({ port: Number(new URL(url).port), ca: authority.cert, ...client, maxVersion })
    // Written before the handshake: it goes out with its last message.
    socket.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
    socket.on('error', () => {})
    await new Promise(resolve => socket.once('close', resolve))
  }
  await logged(server, 'client refused', 2)
  t.same(await logged(server, 'answered', 0), [])
})

t.test('no session is resumed: every connection shows its certificate', async t => {
  const { url, authority } = await startMutualTls(t)
  const client = await authority.issue()
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    const options = { port: Number(new URL(url).port), ca: authority.cert, ...client, maxVersion }
    const first = connectTls(options)
    const session = await new Promise<Buffer>(resolve => first.once('session', resolve))
    first.destroy()
    const second = connectTls({ ...options, session })
    await new Promise(resolve => second.once('secureConnect', resolve))
    t.equal(second.isSessionReused(), false, maxVersion)
    second.destroy()
  }
})

t.test('nothing is negotiated again on a connection', async t => {
  const { url, authority } = await startMutualTls(t)
  const client = await authority.issue()
  const socket = connectTls({
    port: Number(new URL(url).port),
    ca: authority.cert,
    ...client,
    maxVersion: 'TLSv1.2',
  })
  await new Promise(resolve => socket.once('secureConnect', resolve))
  const failed = new Promise<Error>(resolve => socket.once('error', resolve))
  socket.renegotiate({ rejectUnauthorized: true }, () => {})
  t.match(await failed, { code: 'ERR_SSL_NO_RENEGOTIATION' })
})

t.test('the server presents the chain that its file has, and warns of its end', async t => {
  const authority = await TestAuthority.create()
  for (const [hours, message] of [
    [13 * 24, 'server certificate ends soon'],
    [-1, 'server certificate has expired'],
  ] as const) {
    const own = await authority.issue({ usage: 'server', notBefore: inHours(-2), notAfter: inHours(hours) })
    const { server } = await startMutualTls(t, { authority, own })
    t.match(await logged(server, message), [{ level: WARN, serial: String, notAfter: /Z$/ }])
  }
  const own = await authority.issue({ usage: 'server', notAfter: inHours(15 * 24) })
  const { server } = await startMutualTls(t, { authority, own })
  t.notMatch(server.log.join(''), /ends soon|has expired/)
})

t.test('files that are of no use keep it from starting, and are not quoted', async t => {
  const authority = await TestAuthority.create()
  const own = await authority.issue({ usage: 'server' })
  const other = await authority.issue()
  const dir = t.testdir({
    'own.pem': own.cert,
    'own.key': own.key,
    'other.key': other.key,
    'ca.pem': authority.cert,
    'garbled.pem': own.cert.replace(/\n[A-Za-z0-9+/]{20}/, `\n${'A'.repeat(20)}`),
    empty: '',
  })
  const wrong: [cert: string, key: string, ca: string, said: string][] = [
    ['own.pem', 'other.key', 'ca.pem', 'ENTITLEMENT_TLS_KEY is not the key of the certificate in ENTITLEMENT_TLS_CERT'],
    ['own.key', 'own.key', 'ca.pem', 'ENTITLEMENT_TLS_CERT has no certificate in PEM'],
    ['garbled.pem', 'own.key', 'ca.pem', 'ENTITLEMENT_TLS_CERT has a certificate that cannot be read'],
    ['own.pem', 'own.pem', 'ca.pem', 'ENTITLEMENT_TLS_KEY has no private key in PEM, or one with a passphrase'],
    // An empty list of authorities would be every public one, to Node.
    ['own.pem', 'own.key', 'empty', 'ENTITLEMENT_CLIENT_CA has no certificate in PEM'],
    ['own.pem', 'own.key', 'own.pem', 'ENTITLEMENT_CLIENT_CA has a certificate that is not that of an authority'],
  ]
  for (const [cert, key, ca, said] of wrong) {
    const settings = {
      ENTITLEMENT_PORT: 0,
      ENTITLEMENT_TLS_CERT: `${dir}/${cert}`,
      ENTITLEMENT_TLS_KEY: `${dir}/${key}`,
      ENTITLEMENT_CLIENT_CA: `${dir}/${ca}`,
    }
    await t.rejects(startServer({ settings }), { message: said })
  }
})

t.test('a name of a client that cannot be read keeps it from starting', async t => {
  for (const clients of ['CN', 'CN=player;', 'CN=player;CN=a<b'])
    await t.rejects(startMutualTls(t, { settings: { ENTITLEMENT_CLIENTS: clients } }), {
      message: /ENTITLEMENT_CLIENTS must be subjects/,
    })
})

t.test('of clients refused for one reason the log has a few lines a second, and how many more there were', async t => {
  const { server, url, authority } = await startMutualTls(t, { settings: { ENTITLEMENT_CLIENTS: 'CN=somebody' } })
  const client = await authority.issue()
  const count = 40
  for (let asked = 0; asked < count; asked += 1) await t.rejects(ask(url, { ca: authority.cert, ...client }))
  await server.close()
  const lines = server.log.map(line => JSON.parse(line) as LogLine) // pino's
  const single = lines.filter(({ msg }) => msg === 'client refused').length
  const more = lines.filter(({ msg }) => msg === 'more clients refused').map(line => Number(line.count))
  t.equal(single + more.reduce((sum, one) => sum + one, 0), count, 'every one of them is counted')
  t.ok(single >= 5)
  t.ok(more.length > 0, 'and not each has its line')
})

t.test(
  'a pipe in place of a file is a fault, and nobody waits for its writer',
  { skip: process.platform === 'win32' && 'no mkfifo' },
  async t => {
    const pipe = join(t.testdir(), 'pipe')
    execFileSync('mkfifo', [pipe])
    await t.rejects(startMutualTls(t, { settings: { ENTITLEMENT_CLIENT_CA: pipe } }), {
      message: /ENTITLEMENT_CLIENT_CA cannot be used: NOT_A_FILE/,
    })
    await t.rejects(startMutualTls(t, { settings: { CATALOGUE_FILE: pipe } }), {
      message: /CATALOGUE_FILE: cannot be read: NOT_A_FILE/,
    })
  },
)
