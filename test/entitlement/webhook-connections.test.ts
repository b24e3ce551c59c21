import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { RemoteService } from '../../src/connections/remote-service.js'
import { machineClock } from '../../src/ground/clock.js'
import { startServer } from '../../src/index.js'
import { accounts } from '../harness.js'
import { eventually } from '../ledger/load.js'
import { TestAuthority } from './certificates.js'
import { type Customer, entry, failureIn, SECRET, says, startEntitled } from './webhook-customer.js'

const HOUR_MS = 3_600_000

t.test('a certificate that is wrong in any way: nothing is sent, and the operator is told which', async t => {
  const { server, customer, authority, ask } = await startEntitled(t)
  t.match(await ask(), { isAllowed: true })
  const foreign = await TestAuthority.create('Foreign authority')
  const [past, future] = [Date.now() - HOUR_MS, Date.now() + HOUR_MS]
  const wrong = [
    [await foreign.issue({ usage: 'server' }), /^UNABLE_TO_(?:VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT_LOCALLY)$/],
    [await authority.issue({ usage: 'server', notAfter: new Date(past + 1000) }), 'CERT_HAS_EXPIRED'],
    [await authority.issue({ usage: 'server', notBefore: new Date(future) }), 'CERT_NOT_YET_VALID'],
    [await authority.issue({ usage: 'server', names: ['DNS:elsewhere'] }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [await authority.issue({ usage: 'client', names: ['DNS:localhost'] }), 'INVALID_PURPOSE'],
  ] as const
  for (const [certificate, reason] of wrong) {
    customer.certify(certificate)
    t.match(await ask(), { isAllowed: false, error: 1107 }, `${reason}`)
    t.match(failureIn(server), { failure: 'not reached', reason })
  }
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)
  t.match(await ask(), { isAllowed: false, error: 1107 }, 'even where Node is told not to look')
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
  t.equal(customer.arrivals.length, 1)
  customer.certify(await authority.issue({ usage: 'server' }))
  t.match(await ask(), { isAllowed: true })
})

t.test('without a file of authorities it is those of the system', async t => {
  const { server, customer, ask } = await startEntitled(t, { settings: { ENTITLEMENT_WEBHOOK_CA: '' } })
  t.match(await ask(), { isAllowed: false, error: 1107 })
  t.match(failureIn(server), { failure: 'not reached' })
  t.equal(customer.arrivals.length, 0)
})

t.test('who cannot be reached decides nothing', async t => {
  const silent = await startListener(t, () => {})
  const plain = await startListener(t, socket => void socket.end('HTTP/1.1 200 OK\r\n\r\n'))
  const closing = await startListener(t, socket => void socket.destroy())
  const closed = await startListener(t, () => {})
  await closed.stop()
  const unreachable = [
    [closed.port, 20_000, { failure: 'not reached', reason: 'ECONNREFUSED' }],
    [plain.port, 20_000, { failure: 'not reached', reason: /SSL/ }],
    [closing.port, 20_000, { failure: 'not reached', reason: 'ECONNRESET' }],
    [silent.port, 100, { failure: 'not reached in time' }],
  ] as const
  for (const [port, timeout, failure] of unreachable) {
    const settings = {
      ENTITLEMENT_WEBHOOK_URL: `https://localhost:${port}`,
      ENTITLEMENT_WEBHOOK_TIMEOUT: timeout,
    }
    const { server, ask } = await startEntitled(t, { settings })
    t.match(await ask(), { isAllowed: false, error: 1107 }, failure.failure)
    t.match(failureIn(server), failure)
    await server.close()
  }
})

t.test('a question that nobody waits for any more is not sent when its connection comes at last', async t => {
  const { customer, authority } = await startEntitled(t)
  const held: Socket[] = []
  const wire = await startListener(t, socket => void held.push(socket))
  // Connecting may take longer than the question: with the webhook's own times both end at about the same moment.
  const service = new RemoteService({
    url: new URL(`https://localhost:${wire.port}`),
    connections: 1,
    queue: 1,
    timeout: 20_000,
    connectTimeout: 20_000,
    tls: { ca: authority.cert },
    clock: machineClock(),
  })
  t.teardown(() => service.close())
  const question = (requestID: string) => ({
    method: 'POST' as const,
    path: '/',
    headers: [],
    body: JSON.stringify({ requestID }),
  })
  const late = await service.send(question('late'), performance.now() + 100)
  t.match(late, { kind: 'not reached in time', mayHaveArrived: false })
  await eventually(() => held.length === 1, 'a connection')
  for (const socket of held) customer.take(socket)
  t.match(await service.ask(question('next')), { status: 200 })
  t.same(
    customer.arrivals.map(({ question }) => question.requestID),
    ['next'],
  )
  t.equal(held.length, 1, 'the connection that came late is used')
})

t.test('64 are asked at once and 256 wait; who comes then is refused at once', async t => {
  const { server, customer, ask } = await startEntitled(t)
  const release = heldBack(customer)
  const [ASKED, WAITING, REFUSED] = [64, 256, 10]
  let refused = 0
  const asked = Array.from({ length: ASKED + WAITING + REFUSED }, async (_, index) => {
    const decision = await ask({ customerCookie: `${index}` })
    if (!decision.isAllowed) refused += 1
    return decision
  })
  await eventually(() => customer.arrivals.length === ASKED && refused === REFUSED, 'the line is full')
  t.match(failureIn(server), { failure: 'queue full' })
  t.equal(customer.connections, ASKED)
  release()
  const decisions = await Promise.all(asked)
  t.equal(decisions.filter(({ isAllowed }) => isAllowed).length, ASKED + WAITING)
  t.equal(decisions.filter(({ error }) => error === 1107).length, REFUSED)
  t.equal(customer.arrivals.length, ASKED + WAITING)
  t.equal(customer.connections, ASKED, 'connections are kept')
  t.match(await ask(), { isAllowed: true })
})

t.test('waiting for a turn is a part of the time, too', async t => {
  const TIMEOUT = 4000
  const { customer, ask } = await startEntitled(t, { settings: { ENTITLEMENT_WEBHOOK_TIMEOUT: TIMEOUT } })
  // So that all are connected, and ask at the same moment.
  customer.behave = says({ isAllowed: true, content: entry() })
  await Promise.all(Array.from({ length: 70 }, (_, index) => ask({ customerCookie: `first-${index}` })))
  heldBack(customer)
  const began = performance.now()
  const times: number[] = []
  const asked = Array.from({ length: 70 }, async (_, index) => {
    t.match(await ask({ customerCookie: `${index}` }), { error: 1107 })
    times.push(performance.now() - began)
  })
  await Promise.all(asked)
  const [first = 0, last = 0] = [times[0], times.at(-1)]
  t.ok(last < 1.75 * first, `${first} to ${last} ms: those who waited did not get all of it once more`)
  customer.behave = says({ isAllowed: true, content: entry() })
  await eventually(async () => (await ask()).isAllowed, 'all places are free again')
})

t.test('new authorities are trusted without a restart, and what is under way is answered', async t => {
  const { server, customer, caFile, ask } = await startEntitled(t)
  const release = heldBack(customer)
  const underWay = ask()
  await eventually(() => customer.arrivals.length === 1, 'a question')
  writeFileSync(caFile, 'no certificate')
  await eventually(() => has(server.log, 'the former ones hold'), 'it was looked at')
  const successor = await TestAuthority.create('Successor of the test authority')
  writeFileSync(caFile, successor.cert)
  await eventually(() => has(server.log, 'the webhook has new authorities'), 'new authorities')
  release()
  t.match(await underWay, { isAllowed: true })
  t.match(await ask(), { isAllowed: false, error: 1107 }, 'the former authority is trusted no more')
  customer.certify(await successor.issue({ usage: 'server' }))
  t.match(await ask(), { isAllowed: true })
})

t.test('new authorities that cannot be read are told once, and again when others are wrong later', async t => {
  const catalogue = `${t.testdir({ 'catalogue.json': '{ "contents": [] }' })}/catalogue.json`
  const { server, authority, caFile } = await startEntitled(t, { settings: { CATALOGUE_FILE: catalogue } })
  const times = (words: string) => server.log.filter(line => line.includes(words)).length
  const told = () => times('the former ones hold')
  /** All files are looked at equally often, and one that has changed is read at the second look. */
  const looks = async () => {
    const before = times('catalogue read')
    writeFileSync(catalogue, `{ "contents": [${' '.repeat(before)}] }`)
    await eventually(() => times('catalogue read') > before, 'the catalogue was read again')
  }
  writeFileSync(caFile, 'no certificate')
  await eventually(() => told() === 1, 'it was looked at')
  await looks()
  await looks()
  t.equal(told(), 1)
  writeFileSync(caFile, authority.cert)
  await eventually(() => times('the webhook has new authorities') === 1, 'mended')
  writeFileSync(caFile, 'no certificate either')
  await eventually(() => told() === 2, 'told anew')
})

t.test('a file without authorities is a fault at the start', async t => {
  const caFile = `${t.testdir({ 'ca.pem': '-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n' })}/ca.pem`
  const starting = startServer({
    accounts,
    settings: {
      ENTITLEMENT_PORT: 0,
      ENTITLEMENT_PROXIES: '127.0.0.1',
      ENTITLEMENT_CLIENT_CA: 'test/upstream/certificates/authority.pem',
      ENTITLEMENT_ACCOUNT: 201722,
      ENTITLEMENT_WEBHOOK_URL: 'https://localhost:1',
      ENTITLEMENT_WEBHOOK_SECRET: SECRET,
      ENTITLEMENT_WEBHOOK_CA: caFile,
    },
  })
  await t.rejects(starting, {
    name: 'ConfigError',
    message: 'ENTITLEMENT_WEBHOOK_CA must be the path of a file with certificates in PEM',
  })
})

t.test('what is under way when the server stops is answered, and no connection is left', async t => {
  const { server, customer, ask } = await startEntitled(t)
  const release = heldBack(customer)
  const underWay = ask()
  await eventually(() => customer.arrivals.length === 1, 'a question')
  const closing = server.close()
  release()
  t.match(await underWay, { isAllowed: true })
  await closing
  await eventually(() => customer.connected === 0, 'no connection')
})

interface Listener {
  readonly port: number
  stop(): Promise<void>
}

async function startListener(t: Test, connected: (socket: Socket) => void): Promise<Listener> {
  const sockets = new Set<Socket>()
  const listener = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    connected(socket)
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const stop = async () => {
    for (const socket of sockets) socket.destroy()
    if (listener.listening) await once(listener.close(), 'close')
  }
  t.teardown(stop)
  const { port } = listener.address() as AddressInfo // of a TCP server
  return { port, stop }
}

/** Lets every question wait until it is released; then all are allowed. */
function heldBack(customer: Customer): () => void {
  const held: (() => void)[] = []
  customer.behave = (response, arrival) => void held.push(() => customer.behave(response, arrival))
  return () => {
    customer.behave = says({ isAllowed: true, content: entry() })
    for (const release of held) release()
  }
}

function has(log: readonly string[], text: string): boolean {
  return log.some(line => line.includes(text))
}
