import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { queryObjects } from 'node:v8'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { CONNECTION_FAULTS, type ConnectionFault } from '../../schemas/faults.js'
import type { RecordsAnswer } from '../../schemas/records.js'
import { ActiveFault } from '../../src/emulator/active-fault.js'
import { sampleParameters } from '../../src/sample.js'
import { form, startTestServer, type TestServer } from '../harness.js'

const HOST = 'pr-gen.test.expressplay.com'
const PATH = `/hms/pr/token?${form()}`

function get(path: string, headers: Record<string, string> = {}): string {
  const lines = Object.entries({ host: HOST, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** A connection of a kind to a server. */
type Open = (server: TestServer) => Promise<Socket>

function portOf(url = ''): number {
  return Number(new URL(url).port)
}

async function opened(socket: Socket, event = 'connect'): Promise<Socket> {
  await once(socket, event)
  return socket
}

async function tunnel(server: TestServer): Promise<Socket> {
  const socket = await opened(connectTcp(portOf(server.proxyUrl), '127.0.0.1'))
  socket.write(`CONNECT ${HOST}:443 HTTP/1.1\r\nhost: ${HOST}:443\r\n\r\n`)
  await once(socket, 'data')
  return opened(connectTls({ socket, servername: HOST, ca: server.ca }), 'secureConnect')
}

const WAYS: Readonly<Record<string, Open>> = {
  plain: server => opened(connectTcp(portOf(server.url), '127.0.0.1')),
  TLS: server =>
    opened(
      connectTls({ port: portOf(server.tlsUrl), host: '127.0.0.1', servername: HOST, ca: server.ca }),
      'secureConnect',
    ),
  proxy: server => opened(connectTcp(portOf(server.proxyUrl), '127.0.0.1')),
  tunnel,
}

interface Received {
  readonly text: string
  /** How the connection ended. */
  readonly end: 'FIN' | 'RST'
}

/** All that comes, until the server ends the connection. */
async function received(socket: Socket): Promise<Received> {
  let text = ''
  let end: Received['end'] = 'FIN'
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNRESET') end = 'RST'
  })
  await new Promise(resolve => socket.once('close', resolve))
  return { text, end }
}

async function issuedBy(server: TestServer): Promise<number> {
  const { customerAuthenticator } = sampleParameters
  const answer = await fetch(`${server.url}/cmiapi/getrecord/?${new URLSearchParams({ customerAuthenticator })}`)
  const { events } = (await answer.json()) as RecordsAnswer // the documented answer
  return events.filter(({ event }) => event === 'token_issued').length
}

/** What is seen of each at a socket; `hang` ends only with its caller. */
const SEEN: Readonly<Record<Exclude<ConnectionFault, 'hang' | 'slow'>, (seen: Received) => boolean>> = {
  reset: ({ text, end }) => text === '' && end === 'RST',
  close: ({ text, end }) => text === '' && end === 'FIN',
  garbage: ({ text, end }) => text.length > 8 && !text.startsWith('HTTP') && end === 'FIN',
  cut: ({ text, end }) => {
    const [head = '', body = ''] = text.split('\r\n\r\n')
    const length = Number(/content-length: (\d+)/.exec(head)?.[1])
    return /^HTTP\/1.1 200 OK/.test(head) && body.length === Math.floor(length / 2) && end === 'FIN'
  },
}

t.test('each broken connection at a socket, behind the answers before it', async t => {
  const server = await startTestServer(t, { tls: 'development', proxy: true })
  for (const [way, open] of Object.entries(WAYS))
    for (const [connection, isSeen] of Object.entries(SEEN)) {
      const path = way === 'proxy' ? `http://${HOST}${PATH}` : PATH
      const headers = { 'x-emulate-connection': connection }
      const socket = await open(server)
      const alone = received(socket)
      socket.write(get(path, headers))
      t.ok(isSeen(await alone), `${connection} over ${way}: ${JSON.stringify(await alone)}`)

      const kept = await open(server)
      const pipelined = received(kept)
      kept.write(get(path, { accept: 'application/json' }) + get(path, headers) + get(path))
      const { text, end } = await pipelined
      t.match(text, /^HTTP\/1.1 200 OK/, `${connection} over ${way}`)
      const [, length = '0'] = /content-length: (\d+)/.exec(text) ?? []
      const behind = text.slice(text.indexOf('\r\n\r\n') + 4 + Number(length))
      // Where data and RST come together, Node reports the end of the data and no error.
      const seen: Received = { text: behind, end: connection === 'reset' ? 'RST' : end }
      t.ok(isSeen(seen), `${connection} over ${way}, pipelined: ${behind}`)
    }
})

t.test('fetch and undici see each broken connection as an error', async t => {
  const server = await startTestServer(t)
  const url = `${server.url}${PATH}`
  for (const connection of ['reset', 'close', 'garbage', 'cut']) {
    const headers = { 'x-emulate-connection': connection }
    await t.rejects(
      fetch(url, { headers }).then(answer => answer.text()),
      connection,
    )
    await t.rejects(
      request(url, { headers }).then(({ body }) => body.text()),
      connection,
    )
  }
  const headers = { 'x-emulate-connection': 'hang' }
  await t.rejects(fetch(url, { headers, signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' })
  await t.rejects(request(url, { headers, headersTimeout: 50 }), { code: 'UND_ERR_HEADERS_TIMEOUT' })
})

t.test('only what breaks in its answer was asked of the endpoint', async t => {
  const server = await startTestServer(t)
  const issued: Partial<Record<ConnectionFault, number>> = {}
  for (const connection of CONNECTION_FAULTS) {
    const before = await issuedBy(server)
    server.faults.set([{ match: { route: '/hms/pr/token' }, effect: { connection } }])
    await fetch(`${server.url}${PATH}`, connection === 'hang' ? { signal: AbortSignal.timeout(50) } : {})
      .then(answer => answer.text())
      .catch(() => {})
    t.match(server.faults.list(), [{ acted: 1 }], connection)
    server.faults.clear()
    issued[connection] = (await issuedBy(server)) - before
  }
  t.same(issued, { reset: 0, hang: 0, close: 0, cut: 1, garbage: 0, slow: 1 })
})

t.test('a slow answer comes a byte at a time, and whole', async t => {
  const server = await startTestServer(t)
  const { id } = server.faults.once({ connection: 'slow' })
  const socket = await opened(connectTcp(portOf(server.url), '127.0.0.1'))
  const parts: string[] = []
  socket.on('data', (chunk: Buffer) => void parts.push(chunk.toString()))
  socket.write(get(PATH, { accept: 'application/json', connection: 'close' }))
  await once(socket, 'close')
  const [head = '', body = ''] = parts.join('').split('\r\n\r\n')
  t.match(head, new RegExp(`x-emulated-fault: ${id}`))
  t.equal(body.length, Number(/content-length: (\d+)/.exec(head)?.[1]))
  t.ok(JSON.parse(body).token)
  t.ok(parts.length > body.length / 2, `${parts.length} pieces of ${body.length} bytes`)
})

t.test('a lost answer: the token is issued and paid for, and the same key gets it', async t => {
  const server = await startTestServer(t)
  server.faults.set([{ times: 1, effect: { lost: true } }])
  t.equal((await server.get({ rightsType: 'Lease' })).status, 400, 'a refusal is not lost')
  const keyed = { accept: 'application/json', 'idempotency-key': 'purchase-lost' }
  await t.rejects(server.get({}, keyed))
  t.equal(await issuedBy(server), 1)
  const again = await server.get({}, keyed)
  t.same([again.status, again.headers.get('idempotency-replayed')], [200, 'true'])
  t.equal(await issuedBy(server), 1)
})

t.test('a request that hangs ends with its caller, or with the server', async t => {
  const server = await startTestServer(t)
  const { id } = server.faults.add({ effect: { connection: 'hang' } })
  const hang = async (requestId: string) => {
    const socket = await opened(connectTcp(portOf(server.url), '127.0.0.1'))
    socket.write(get(PATH, { 'x-request-id': requestId }))
    return socket
  }
  const gone = await hang('gone')
  await actedTimes(t, server, 1)
  gone.destroy()
  await logged(t, server, 'gone')
  const line = server.log.map(line => JSON.parse(line)).find(({ requestId }) => requestId === 'gone')
  t.match(line, { status: 499, aborted: true, fault: id })

  const callers = await Promise.all(Array.from({ length: 100 }, (_, number) => hang(`caller-${number}`)))
  await actedTimes(t, server, 101)
  t.ok(livingFaults() >= 100)
  for (const caller of callers) caller.destroy()
  for (const number of callers.keys()) await logged(t, server, `caller-${number}`)
  t.ok(livingFaults() < 10, 'nothing is left of those who are gone')

  const ended = received(await hang('ended'))
  await actedTimes(t, server, 102)
  server.faults.set([{ effect: { delayMs: 600_000 } }])
  const delayed = fetch(`${server.url}${PATH}`, { headers: { connection: 'close' } })
  await actedTimes(t, server, 1)
  // The harness reads the metrics before it closes.
  const closing = server.close()
  t.same(await ended, { text: '', end: 'FIN' })
  t.equal((await delayed).status, 200, 'a delay ends with the server as well')
  await closing
})

t.test('a delay ends with its caller, for whom nothing is done any more', async t => {
  const server = await startTestServer(t)
  server.faults.set([{ effect: { delayMs: 600_000 } }])
  const leaving = new AbortController()
  const asked = fetch(`${server.url}${PATH}`, { signal: leaving.signal, headers: { 'x-request-id': 'left' } })
  const ended = t.rejects(asked)
  await actedTimes(t, server, 1)
  leaving.abort()
  await ended
  await logged(t, server, 'left')
  server.faults.clear()
  t.equal(await issuedBy(server), 0)
})

/** How many there are in this process. */
function livingFaults(): number {
  return queryObjects(ActiveFault as never, { format: 'count' }) // a class is a function
}

async function actedTimes(t: Test, server: TestServer, times: number): Promise<void> {
  await until(t, () => (server.faults.list()[0]?.acted ?? 0) >= times)
}

async function logged(t: Test, server: TestServer, requestId: string): Promise<void> {
  await until(t, () => server.log.some(line => line.includes(`"${requestId}"`)))
}

/** Gives the server turns of the event loop until it has done something. */
async function until(t: Test, isDone: () => boolean): Promise<void> {
  for (let turns = 0; !isDone(); turns += 1) {
    if (turns === 20_000) return void t.fail('it never happened')
    await new Promise(resolve => setImmediate(resolve))
  }
}
