import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { startCommand } from '../process.js'
import { TestAuthority } from './certificates.js'
import { QUESTION, startMutualTls } from './mutual-tls.js'

/** After which a connection with half a request is closed anyway. */
const REQUEST_TIMEOUT_MS = 30_000

t.test('a shutdown answers what is under way over TLS', async t => {
  const { socket, server, body } = await halfAsked(t)
  const closing = server.close()
  const answer = answerOn(socket)
  socket.write(body.slice(10))
  t.match(await answer, /HTTP\/1\.1 200 OK.*"isAllowed":false/s)
  await closing
})

t.test('a shutdown lets go of connections that carry no request, and of half handshakes', async t => {
  const { server, url, authority } = await startMutualTls(t)
  const client = await authority.issue()
  const port = Number(new URL(url).port)
  const idle = connect({ port, ca: authority.cert, ...client })
  await once(idle, 'secureConnect')
  const answered = connect({ port, ca: authority.cert, ...client })
  answered.write('GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(answered, 'data')
  const half = connect({ port, ca: authority.cert, ...client })
  half.write('POST /entitlement HTTP/1.1\r\nHost: x\r\n')
  await once(half, 'secureConnect')
  const silent = connectTcp(port, '127.0.0.1')
  await once(silent, 'connect')
  const started = connectTcp(port, '127.0.0.1')
  started.write('\x16\x03\x01\x02\x00\x01', 'latin1')
  await once(started, 'connect')

  const closed = [idle, answered, half, silent, started].map(socket => {
    socket.on('error', () => {})
    return new Promise(resolve => socket.once('close', resolve))
  })
  const begin = performance.now()
  await server.close()
  await Promise.all(closed)
  t.ok(performance.now() - begin < REQUEST_TIMEOUT_MS / 2, 'long before their time is up')
  t.notMatch(server.log.join(''), 'client refused')
  t.notMatch(server.log.join(''), 'broken off')
})

t.test('a request that comes during a shutdown is refused, on a connection that is still busy', async t => {
  const { socket, server, body } = await halfAsked(t)
  const closing = server.close()
  // Until the shutdown has begun, on both ports at once.
  while (await fetch(`${server.url}/healthz`).catch(() => undefined));
  const answer = answerOn(socket)
  socket.write(`${body.slice(10)}${head(body)}${body}`)
  t.match(await answer, /HTTP\/1\.1 200 OK.*HTTP\/1\.1 503 .*"errorText":"The server is shutting down"/s)
  await closing
})

t.test('both ports drain at once: neither waits for the other', async t => {
  const { socket, server, body } = await halfAsked(t)
  const closing = server.close()
  await t.rejects(fetch(`${server.url}/healthz`), 'the other port is closed while this one has work')
  const answer = answerOn(socket)
  socket.write(body.slice(10))
  t.match(await answer, /200 OK.*"error":1101/s, 'and what it needs is still there')
  await closing
})

t.test('the process says where it listens, and drains when it is told', async t => {
  const authority = await TestAuthority.create()
  const own = await authority.issue({ usage: 'server' })
  t.testdir({ 'own.pem': own.cert, 'own.key': own.key, 'ca.pem': authority.cert })
  const command = startCommand(t, ['serve'], {
    PORT: '0',
    DATA_DIR: '',
    ENTITLEMENT_PORT: '0',
    ENTITLEMENT_TLS_CERT: 'own.pem',
    ENTITLEMENT_TLS_KEY: 'own.key',
    ENTITLEMENT_CLIENT_CA: 'ca.pem',
  })
  const [, port] = await command.printed(/"entitlementUrl":"https:\/\/127\.0\.0\.1:(\d+)".*"listening"/)
  const socket = connect({ port: Number(port), ca: authority.cert, ...(await authority.issue()) })
  const body = JSON.stringify(QUESTION)
  socket.write(`${head(body, 'Expect: 100-continue\r\n')}`)
  await once(socket, 'data')
  socket.write(body.slice(0, 10))
  command.child.kill('SIGTERM')
  await command.printed(/"draining"/)
  const answer = answerOn(socket)
  socket.write(body.slice(10))
  t.match(await answer, /HTTP\/1\.1 200 OK.*"isAllowed":false/s)
  t.equal((await command.ended).code, 0)
})

t.test('a port that is taken is named', async t => {
  const { url, files } = await startMutualTls(t)
  const command = startCommand(t, ['serve'], {
    PORT: '0',
    DATA_DIR: '',
    ENTITLEMENT_PORT: new URL(url).port,
    ENTITLEMENT_TLS_CERT: files.cert,
    ENTITLEMENT_TLS_KEY: files.key,
    ENTITLEMENT_CLIENT_CA: files.ca,
  })
  t.match(await command.ended, { code: 1, stderr: /with this HOST and ENTITLEMENT_PORT: .*EADDRINUSE/ })
})

function head(body: string, more = ''): string {
  return `POST /entitlement HTTP/1.1\r\nHost: x\r\n${more}Content-Length: ${body.length}\r\n\r\n`
}

/** A request of which the server has the head and some bytes of the body. */
async function halfAsked(t: Test) {
  const { server, url, authority } = await startMutualTls(t)
  const body = JSON.stringify(QUESTION)
  const socket = connect({ port: Number(new URL(url).port), ca: authority.cert, ...(await authority.issue()) })
  // The server says 100 Continue when the request has reached it.
  socket.write(head(body, 'Expect: 100-continue\r\n'))
  await once(socket, 'data')
  socket.write(body.slice(0, 10))
  return { server, socket, body }
}

async function answerOn(socket: TLSSocket): Promise<string> {
  let text = ''
  socket.on('data', chunk => {
    text += chunk
  })
  await once(socket, 'close')
  return text
}
