import t from 'tap'
import { eventually } from '../ledger/load.js'
import { type Gateway, startGateway } from './gateway.js'
import { hangs, issues, resets, startHostile } from './hostile.js'

const PAUSE = 500

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
  t.match(body, { errorCode: -2030, errorMessage: /: the upstream fails, and is left alone for a while$/ })
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

t.test('refusals do not open the circuit, however many', async t => {
  const upstream = await startHostile(t, ({ socket }) => {
    const body = '{"errorCode":-2019,"errorMessage":"Insufficient tokens available"}'
    socket.write(`HTTP/1.1 400 Bad\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  })
  const gateway = await startGateway(t, upstream.url)
  for (let asked = 0; asked < 30; asked += 1)
    t.match(await gateway.ask('refused'), { status: 400, body: { errorCode: -2019 } })
  t.equal(upstream.arrivals.length, 30)
  t.same(await statesOf(gateway), { test: 'closed', production: 'closed' })
  t.equal(await gateway.paid(), 0)
})

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
