import t from 'tap'
import { appWith } from '../app.js'
import { FAMILIES, type FamilyCase } from '../families.js'
import { eventually } from '../ledger/load.js'
import { account, type Gateway, LOCAL, startGateway } from './gateway.js'
import { answerOf, hangs, issuedBody, issues, resets, startHostile } from './hostile.js'

const PAUSE = 500
const HOUR = 3_600_000

t.test('an upstream that fails is left alone; one request tries whether it is well again', async t => {
  const upstream = await startHostile(t, resets)
  const gateway = await startGateway(t, upstream.url, { UPSTREAM_BREAKER_PAUSE: PAUSE })
  for (let asked = 0; (await statesOf(gateway)).test === 'closed'; asked += 1) {
    if (asked === 30) throw new Error('the circuit is still closed')
    t.equal((await gateway.ask(`failed-${asked}`)).status, 502)
  }
  t.equal(upstream.arrivals.length, 20, 'no less than twenty tell')
  const paid = await gateway.paid()
  t.equal(paid, 20)

  const { status, retryAfter, body } = await gateway.ask('open')
  t.equal(status, 503)
  t.equal(retryAfter, '1')
  t.match(body, { code: -2030, message: /: the upstream fails, and is left alone for a while$/ })
  t.equal(upstream.arrivals.length, 20, 'it is not asked')
  t.same(await gateway.eventsOf('open'), [], 'refused before anything is written')
  t.equal(await gateway.paid(), paid)
  t.same(await statesOf(gateway), { test: 'open', production: 'closed' }, 'each host has its own')
  t.equal(await gateway.metric('expressplay_upstream_circuit{environment="test",state="open"}'), 1)

  await eventually(async () => (await gateway.ask('trial')).status === 502, 'one tries after the pause')
  t.equal(upstream.arrivals.length, 21)
  t.equal((await gateway.ask('again')).status, 503, 'and fails: it is left alone again')

  upstream.behave = hangs
  const answers: number[] = []
  // Together, after the pause: one of them tries, and the others do not wait for it.
  await eventually(async () => {
    const together = Array.from({ length: 5 }, async () => {
      const { status } = await gateway.ask('together')
      answers.push(status)
    })
    await Promise.race([Promise.all(together), eventually(() => upstream.arrivals.length === 22, 'a trial')])
    return upstream.arrivals.length === 22
  }, 'one of several tries')
  await eventually(() => answers.length % 5 === 4, 'the others are answered')
  t.ok(answers.every(status => status === 503))
  t.equal((await statesOf(gateway)).test, 'half-open')

  upstream.behave = issues
  for (const { socket } of upstream.arrivals) socket.destroy()
  await eventually(async () => (await gateway.ask('well')).status === 200, 'it is well')
  t.equal((await statesOf(gateway)).test, 'closed')
  for (let asked = 0; asked < 5; asked += 1) t.equal((await gateway.ask('more')).status, 200)
  t.same(
    gateway.log.filter(line => /left alone|tries whether|works again/.test(line)).map(line => JSON.parse(line).level),
    [50, 30, 50, 30, 50, 30, 30],
    'the operator is told of every change',
  )
})

t.test('a request from before the last change tells nothing about the upstream of now', async t => {
  const clock = { up: 0 }
  const upstream = await startHostile(t, hangs)
  const settings = { UPSTREAM_BREAKER_PAUSE: PAUSE, UPSTREAM_CONNECTIONS: 64 }
  const gateway = await startGateway(t, upstream.url, settings, undefined, () => clock.up)
  const OLD = 25
  const old = Array.from({ length: OLD }, () => gateway.ask('old'))
  await eventually(() => upstream.arrivals.length === OLD, 'the old ones')
  const [first, ...others] = upstream.arrivals.map(({ socket }) => socket)
  upstream.behave = resets
  await fail(gateway, 20)
  t.equal((await statesOf(gateway)).test, 'open')

  upstream.behave = hangs
  clock.up += PAUSE
  const trial = gateway.ask('trial')
  await eventually(() => upstream.arrivalsOf('trial') === 1, 'a trial')
  first?.destroy()
  t.equal((await Promise.race(old)).status, 502)
  t.equal((await statesOf(gateway)).test, 'half-open', 'one that fails during the trial')
  upstream.arrivals.at(-1)?.socket.write(answerOf(issuedBody()))
  t.equal((await trial).status, 200)
  t.equal((await statesOf(gateway)).test, 'closed')

  for (const socket of others) socket.destroy()
  for (const answer of await Promise.all(old)) t.equal(answer.status, 502)
  t.equal((await statesOf(gateway)).test, 'closed', 'many that fail after it')
  upstream.behave = resets
  await fail(gateway, 19)
  t.equal((await statesOf(gateway)).test, 'closed')
  await fail(gateway, 1)
  t.equal((await statesOf(gateway)).test, 'open', 'but twenty of now')
})

t.test('what counts are the last ten seconds, also where there was nothing to count for long', async t => {
  const clock = { up: 0 }
  const upstream = await startHostile(t, resets)
  const gateway = await startGateway(t, upstream.url, {}, undefined, () => clock.up)
  await fail(gateway, 19)
  clock.up += 6 * HOUR
  await fail(gateway, 10)
  clock.up += 10_000
  await fail(gateway, 1)
  t.equal((await statesOf(gateway)).test, 'closed')
  clock.up += 9000
  await fail(gateway, 18)
  t.equal((await statesOf(gateway)).test, 'closed')
  await fail(gateway, 1)
  t.equal((await statesOf(gateway)).test, 'open')
})

t.test('half of them failing is not enough', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url, {}, undefined, () => 0)
  for (let asked = 0; asked < 20; asked += 1) t.equal((await gateway.ask('well')).status, 200)
  upstream.behave = resets
  await fail(gateway, 20)
  t.equal((await statesOf(gateway)).test, 'closed')
  await fail(gateway, 1)
  t.equal((await statesOf(gateway)).test, 'open')
})

t.test('a wall clock that is put back or forward does not change how long an upstream is left alone', async t => {
  const clock = { up: 0 }
  const upstream = await startHostile(t, resets)
  const settings = { UPSTREAM_BREAKER_PAUSE: PAUSE }
  const gateway = await startGateway(t, upstream.url, settings, undefined, () => clock.up)
  await fail(gateway, 20)
  upstream.behave = issues
  const wall = Date.now
  t.intercept(Date, 'now', { value: () => wall() + HOUR })
  t.equal((await gateway.ask('forward')).status, 503)
  t.intercept(Date, 'now', { value: () => wall() - HOUR })
  clock.up += PAUSE - 1
  t.equal((await gateway.ask('back')).status, 503)
  for (const cookie of ['forward', 'back']) t.same(await gateway.eventsOf(cookie), [], 'nothing is reserved for it')
  clock.up += 1
  t.equal((await gateway.ask('well')).status, 200)
  t.equal((await statesOf(gateway)).test, 'closed')
})

t.test('refusals do not open the circuit, however many', async t => {
  const upstream = await startHostile(t, ({ socket }) => {
    const body = '{"code":-2019,"message":"Insufficient tokens available"}'
    socket.write(`HTTP/1.1 400 Bad\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  })
  const gateway = await startGateway(t, upstream.url)
  for (let asked = 0; asked < 30; asked += 1)
    t.match(await gateway.ask('refused'), { status: 400, body: { code: -2019 } })
  t.equal(upstream.arrivals.length, 30)
  t.same(await statesOf(gateway), { test: 'closed', production: 'closed' })
  t.equal(await gateway.paid(), 0)
})

t.test('each DRM has a host, whose failures and queue are its own', async t => {
  const upstreams = await Promise.all(FAMILIES.map(() => startHostile(t, issues)))
  const hosts = new Map(FAMILIES.map(({ family }, index) => [family.name, new URL(upstreams[index]?.url ?? '')]))
  const { app, log, services } = await appWith(t, {
    accounts: [account],
    settings: { UPSTREAM_CONNECTIONS: '1', UPSTREAM_QUEUE: '0', RATE_LIMIT_PER_ACCOUNT: '0' },
    upstream: 'http://127.0.0.1:9',
    uptime: () => 0,
    configured: config => {
      if (config.MODE !== 'gateway') throw new Error('no gateway')
      return { ...config, upstream: { ...config.upstream, tokens: { ...config.upstream.tokens, test: hosts } } }
    },
  })
  const ask = async ({ family, order }: FamilyCase) => {
    const query = new URLSearchParams({ customerAuthenticator: LOCAL.test, errorFormat: 'json', ...order })
    return (await app.inject(`${family.tokenPath}?${query}`)).statusCode
  }
  const [failing, ...others] = FAMILIES
  const [upstream] = upstreams
  if (failing === undefined || upstream === undefined) throw new Error('no DRM')

  upstream.behave = hangs
  const first = ask(failing)
  await eventually(() => upstream.arrivals.length === 1, 'it has the only place')
  t.equal(await ask(failing), 503, 'and there is no queue')
  for (const of of others) t.equal(await ask(of), 200, of.family.name)
  upstream.arrivals[0]?.socket.resetAndDestroy()
  t.equal(await first, 502)

  upstream.behave = resets
  for (let asked = 1; asked < 20; asked += 1) t.equal(await ask(failing), 502)
  t.equal(await ask(failing), 503, 'its circuit is open')
  for (const of of others) t.equal(await ask(of), 200, of.family.name)
  t.same(
    upstreams.map(({ arrivals }) => arrivals.length),
    FAMILIES.map(of => (of === failing ? 20 : 2)),
    'each was asked for its own tokens',
  )

  const readiness = (await app.inject('/readyz')).json<{ upstream: object }>()
  t.same(readiness.upstream, { test: 'open', production: 'closed' }, 'the worst of an environment')
  const metrics = await services.metrics.registry.metrics()
  for (const [name, { host }] of hosts) {
    const isFailing = name === failing.family.name
    const labels = `environment="test",host="${host}"`
    t.ok(metrics.includes(`expressplay_upstream_circuit{${labels},state="${isFailing ? 'open' : 'closed'}"} 1`), name)
    const outcome = isFailing ? 'outcome="connection_lost"} 20' : 'outcome="issued"} 2'
    t.ok(metrics.includes(`expressplay_upstream_requests_total{${labels},${outcome}`), name)
  }
  const { host } = hosts.get(failing.family.name) ?? {}
  const told = log.map(line => JSON.parse(line)).filter(({ level }) => level === 50)
  t.match(told, [{ environment: 'test', host, msg: /left alone/ }])
})

/** So many requests, one after the other, that end without an answer. */
async function fail(gateway: Gateway, requests: number): Promise<void> {
  for (let asked = 0; asked < requests; asked += 1) {
    const { status } = await gateway.ask('failed')
    if (status !== 502) throw new Error(`${status}`)
  }
}

async function statesOf(gateway: Gateway): Promise<{ test: string; production: string }> {
  const response = await fetch(`${gateway.url}/readyz`)
  const { status, upstream } = (await response.json()) as {
    status: string
    upstream: { test: string; production: string }
  } // as documented
  if (response.status !== 200 || status !== 'ready')
    throw new Error('an upstream that is down must not end the service')
  return upstream
}
