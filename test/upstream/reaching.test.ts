import { lookup } from 'node:dns'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo, LookupFunction } from 'node:net'
import t from 'tap'
import { RemoteService, type ServiceRequest } from '../../src/connections/remote-service.js'
import { machineClock } from '../../src/ground/clock.js'
import { sampleParameters } from '../../src/sample.js'
import { eventually } from '../ledger/load.js'
import { LOCAL, startGateway } from './gateway.js'
import { answerOf, hangs, issuedBody, issues, resets, startHostile } from './hostile.js'

t.test('an upstream that is not there: tried again, certainly not asked, and nothing is paid', async t => {
  const upstream = await startHostile(t, issues)
  await upstream.stop()
  const gateway = await startGateway(t, upstream.url)
  const { status, body } = await gateway.ask('refused')
  t.equal(status, 502)
  t.match(body, { code: -2030, message: /: the upstream cannot be reached$/ })
  t.match(await gateway.eventsOf('refused'), [{ event: 'token_refused', error_code: -2030 }])
  t.equal(await gateway.paid(), 0)
  t.equal(await gateway.metric('expressplay_upstream_retries_total{environment="test"}'), 2)
  t.match(gateway.log.join('\n'), /"failure":"not reached","reason":"ECONNREFUSED"/)

  await upstream.listen(upstream.port)
  t.equal((await gateway.ask('there')).status, 200, 'as soon as it is there')
})

t.test('a name that nobody has', async t => {
  const gateway = await startGateway(t, 'http://upstream.invalid', { UPSTREAM_TIMEOUT: 1000 })
  const { status, body } = await gateway.ask('dns')
  // A resolver that cannot be asked itself may take longer than the request has.
  t.ok([502, 504].includes(status), `${status}`)
  t.match(body, { code: -2030, message: /cannot be reached$|not reached in time$/ })
  t.match(await gateway.eventsOf('dns'), [{ event: 'token_refused' }])
  t.equal(await gateway.paid(), 0)
})

t.test('a TLS handshake that never ends, and one that is none', async t => {
  const upstream = await startHostile(t, issues)
  const settings = { UPSTREAM_CONNECT_TIMEOUT: 100, UPSTREAM_TIMEOUT: 1000 }
  const gateway = await startGateway(t, upstream.url.replace('http:', 'https:'), settings)
  upstream.onConnection = () => {}
  t.match(await gateway.ask('silent'), { status: 504, body: { message: /not reached in time$/ } })
  upstream.onConnection = socket => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  t.match(await gateway.ask('plain'), { status: 502, body: { message: /cannot be reached$/ } })
  for (const cookie of ['silent', 'plain']) t.match(await gateway.eventsOf(cookie), [{ event: 'token_refused' }])
  t.equal(await gateway.paid(), 0)
})

t.test('a connection that breaks while the request is on its way may have carried it', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url)
  upstream.onConnection = socket => void socket.once('data', () => socket.resetAndDestroy())
  t.equal((await gateway.ask('half')).status, 502)
  t.equal(upstream.connections, 1, 'it is not sent again')
  t.match(await gateway.eventsOf('half'), [{ event: 'token_unknown' }])
})

t.test('connections are kept; one that was closed meanwhile is not used', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url)
  for (const cookie of ['a', 'b']) t.equal((await gateway.ask(cookie)).status, 200)
  t.equal(upstream.connections, 1)
  const [arrival] = upstream.arrivals
  if (arrival === undefined) throw new Error('nothing arrived')
  const closed = once(arrival.socket, 'close')
  arrival.socket.end()
  await closed
  t.equal((await gateway.ask('c')).status, 200)
  t.equal(upstream.connections, 2)

  upstream.behave = resets
  t.equal((await gateway.ask('d')).status, 502, 'one that is closed as the request comes')
  t.equal(upstream.arrivalsOf('d'), 1, 'nobody knows whether it was read: it is not sent again')
  t.match(await gateway.eventsOf('d'), [{ event: 'token_unknown' }])
})

t.test('more requests than may be under way wait, and more than may wait are refused at once', async t => {
  const upstream = await startHostile(t, hangs)
  const settings = { UPSTREAM_CONNECTIONS: 2, UPSTREAM_QUEUE: 3 }
  const gateway = await startGateway(t, upstream.url, settings)
  const under = Array.from({ length: 5 }, (_, index) => gateway.ask(`line-${index}`))
  const gauge = (name: string) => gateway.metric(`expressplay_upstream_${name}{environment="test"}`)
  await eventually(async () => (await gauge('waiting')) === 3 && upstream.arrivals.length === 2, 'a line')
  t.equal(await gauge('under_way'), 2)
  const { status, retryAfter, body } = await gateway.ask('line-5')
  t.equal(status, 503)
  t.equal(retryAfter, '1')
  t.match(body, { code: -2030, message: /too many requests wait for the upstream$/ })
  t.same(await gateway.eventsOf('line-5'), [], 'refused before anything is written')
  t.equal(await gateway.paid(), 5)

  upstream.behave = issues
  for (const { socket } of upstream.arrivals) socket.write(answerOf(issuedBody()))
  for (const answer of await Promise.all(under)) t.equal(answer.status, 200)
  t.equal(upstream.connections, 2)
})

t.test('who waits for too long is told so, and was not sent', async t => {
  const upstream = await startHostile(t, hangs)
  const gateway = await startGateway(t, upstream.url, { UPSTREAM_CONNECTIONS: 1, UPSTREAM_TIMEOUT: 500 })
  const first = gateway.ask('first')
  await eventually(() => upstream.arrivals.length === 1, 'the first')
  const { status, retryAfter, body } = await gateway.ask('second')
  t.match({ status, retryAfter, body }, { status: 503, retryAfter: '1', body: { message: /too many requests wait/ } })
  t.match(await first, { status: 504, body: { message: /did not answer in time, and it is unknown/ } })
  t.equal(upstream.arrivalsOf('second'), 0)
  t.match(await gateway.eventsOf('second'), [{ event: 'token_refused' }])
  t.equal(await gateway.paid(), 1, 'the first')
})

t.test('what a caller does not wait for is in the log all the same, and a shutdown waits for it', async t => {
  const upstream = await startHostile(t, hangs)
  const settings = { DATABASE_URL: `sqlite:${t.testdir()}/ledger.db` }
  const gateway = await startGateway(t, upstream.url, settings)
  const leaving = new AbortController()
  const form = new URLSearchParams({ ...sampleParameters, customerAuthenticator: LOCAL.test, cookie: 'gone' })
  const asking = fetch(`${gateway.url}/hms/pr/token?${form}`, { signal: leaving.signal })
  await eventually(() => upstream.arrivals.length === 1, 'the request')
  leaving.abort()
  await t.rejects(asking)
  upstream.behave = issues
  t.equal((await gateway.ask('other')).status, 200, 'others are not disturbed')

  let isClosed = false
  const closing = gateway.close().then(() => {
    isClosed = true
  })
  await eventually(
    () =>
      fetch(gateway.url).then(
        () => false,
        () => true,
      ),
    'nothing new is taken',
  )
  t.notOk(isClosed)
  upstream.arrivals[0]?.socket.write(answerOf(issuedBody()))
  await closing
  const next = await startGateway(t, upstream.url, settings)
  t.match(await next.eventsOf('gone'), [{ event: 'token_issued' }])
})

t.test('connections to one host share one look-up of its name', async t => {
  const connections = 64
  const waiting: ServerResponse[] = []
  // Each request waits until all have a connection of their own.
  const host = createServer((_request, response) => {
    waiting.push(response)
    if (waiting.length === connections) for (const each of waiting) each.end()
  }).listen(0, '127.0.0.1')
  t.teardown(() => host.close())
  await once(host, 'listening')

  const count = { inFlight: 0, most: 0 }
  const counted: LookupFunction = (_name, options, callback) => {
    count.inFlight += 1
    count.most = Math.max(count.most, count.inFlight)
    lookup('127.0.0.1', options, (...answer) => {
      count.inFlight -= 1
      callback(...answer)
    })
  }
  const { port } = host.address() as AddressInfo // not a pipe
  const terms = { connections, queue: connections, timeout: 60_000, connectTimeout: 0, clock: machineClock() }
  const service = new RemoteService({
    ...terms,
    url: new URL(`http://upstream.invalid:${port}`),
    tls: { lookup: counted },
  })
  t.teardown(() => service.close())
  const request: ServiceRequest = { method: 'GET', path: '/', headers: [] }
  const answers = await Promise.all(Array.from({ length: connections }, () => service.ask(request)))
  for (const answer of answers) t.match(answer, { status: 200 })
  t.same(count, { inFlight: 0, most: 1 })

  const failed: LookupFunction = (name, _options, callback) =>
    void setImmediate(callback, Object.assign(new Error(name), { code: 'ENOTFOUND' }), [])
  const nowhere = new RemoteService({ ...terms, url: new URL('http://upstream.invalid'), tls: { lookup: failed } })
  t.teardown(() => nowhere.close())
  for (const failure of await Promise.all([nowhere.ask(request), nowhere.ask(request)]))
    t.match(failure, { reason: 'ENOTFOUND' })
  t.match(await nowhere.ask(request), { reason: 'ENOTFOUND' }, 'and the next asks again')
})
