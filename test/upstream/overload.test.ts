import t, { type Test } from 'tap'
import { NOON, startTestServer } from '../harness.js'
import { eventually } from '../ledger/load.js'
import { startGateway } from './gateway.js'
import {
  type Arrival,
  answerOf,
  type Behaviour,
  type HostileUpstream,
  hangs,
  issuedBody,
  resets,
  startHostile,
} from './hostile.js'

const PLACES = 2

t.test('no token is lost to waiting, at any load up to ten times what a slow upstream can do', async t => {
  const TIMEOUT = 3000
  const trial = async (share: number, spread: number, load: number) => {
    const latencyOf = (number: number) => TIMEOUT * (share + (spread * (number % 3)) / 2)
    const upstream = await startHostile(t, arrival => {
      setTimeout(() => issue(arrival), latencyOf(upstream.arrivals.length))
    })
    const settings = { UPSTREAM_TIMEOUT: TIMEOUT, UPSTREAM_CONNECTIONS: PLACES, UPSTREAM_QUEUE: 1000 }
    const gateway = await startGateway(t, upstream.url, settings)
    const requests = Math.round((load * PLACES) / (share + spread / 2))
    // The first time it does not know how slow it is.
    for (const time of ['first', 'second']) {
      const what = `${share}+${spread} of the time, ${load} times as much, for the ${time} time`
      const before = upstream.arrivals.length
      const answers = await Promise.all(Array.from({ length: requests }, () => gateway.ask('viewer')))
      const issued = answers.filter(({ status }) => status === 200)
      const paid = upstream.arrivals.length - before
      t.equal(issued.length, paid, `${what}: who has paid has a token`)
      const refused = answers.filter(({ status, retryAfter }) => status === 503 && Number(retryAfter) >= 1)
      // One whose connection comes too late was not reached in time.
      const late = answers.filter(({ status }) => status === 504)
      t.equal(issued.length + refused.length + late.length, requests, `${what}: the others are refused`)
    }
    t.ok(upstream.arrivals.length >= PLACES, 'and it does what it can')
    t.equal(await gateway.paid(), upstream.arrivals.length)
  }
  await Promise.all([trial(0.22, 0, 10), trial(0.3, 0.3, 3)])
})

t.test('who would have to wait for too long is refused at once', async t => {
  const upstream = await startHostile(t, hangs)
  const settings = { UPSTREAM_TIMEOUT: 60_000, UPSTREAM_CONNECTIONS: 1, UPSTREAM_QUEUE: 1000 }
  let uptime = 0
  const gateway = await startGateway(t, upstream.url, settings, undefined, () => uptime)
  const slow = gateway.ask('slow')
  await eventually(() => upstream.arrivals.length === 1, 'it is asked')
  uptime += 8000
  issue(upstream.arrivals[0])
  t.equal((await slow).status, 200)

  const inPlace = gateway.ask('in place')
  await eventually(() => upstream.arrivals.length === 2, 'the only place is taken')
  const waiting = Array.from({ length: 20 }, () => gateway.ask('waiting'))
  const first = await Promise.race(waiting)
  t.match(first, { status: 503, body: { code: -2030, message: /too many requests wait for the upstream$/ } })
  t.ok(Number(first.retryAfter) > 1, `in ${first.retryAfter} seconds it may be better`)
  t.same(await gateway.eventsOf('waiting'), [], 'and nothing was reserved for it')
  t.equal(upstream.arrivals.length, 2)
  upstream.behave = issue
  issue(upstream.arrivals[1])
  t.equal((await inPlace).status, 200)
  const answers = (await Promise.all(waiting)).map(({ status }) => status)
  t.ok(answers.filter(status => status === 200).length >= 2, `those with a chance wait: ${answers}`)
})

const GREEDY = { id: 9, local: '9,00000000000000000000000000000009', real: '777,7e577e577e577e577e577e577e577e57' }
const MODEST = { id: 8, local: '8,00000000000000000000000000000008', real: '888,8e588e588e588e588e588e588e588e58' }
type Customer = typeof GREEDY

t.test('a customer that asks for much leaves the others their share of places and of the queue', async t => {
  const { upstream, ask } = await startTwo(t, hangs, { UPSTREAM_CONNECTIONS: PLACES, UPSTREAM_QUEUE: 12 })
  const greedy = Array.from({ length: 40 }, () => ask(GREEDY))
  await eventually(() => upstream.arrivals.length === PLACES, 'all places are taken')
  const refusedAtOnce = await Promise.all(firstOf(greedy, 40 - PLACES - 12))
  t.ok(
    refusedAtOnce.every(status => status === 503),
    'the queue is full',
  )

  const modest = Array.from({ length: 6 }, () => ask(MODEST))
  await Promise.all(firstOf(greedy, 40 - PLACES - 6))
  const order: number[] = []
  for (let answered = 0; answered < PLACES + 12; answered++) {
    await eventually(() => upstream.arrivals.length > answered, 'the next is asked')
    const arrival = upstream.arrivals[answered]
    order.push(arrival?.form.get('customerAuthenticator') === MODEST.real ? MODEST.id : GREEDY.id)
    issue(arrival)
  }
  t.same(await Promise.all(modest), Array(6).fill(200), 'all of them get their tokens')
  const served = order.slice(PLACES)
  const countOf = (id: number, most: number) => served.slice(0, most).filter(one => one === id).length
  t.ok(
    served.every((_, index) => countOf(MODEST.id, index + 1) >= countOf(GREEDY.id, index + 1)),
    `from then on both get the same: ${order}`,
  )
  t.equal((await Promise.all(greedy)).filter(status => status === 200).length, PLACES + 6)
})

t.test('one customer’s failures keep the upstream from nobody else', async t => {
  const clock = { up: 0 }
  const isGreedy = ({ form }: Arrival) => form.get('customerAuthenticator') === GREEDY.real
  const { upstream, ask, log } = await startTwo(t, arrival => (isGreedy(arrival) ? resets : issue)(arrival), {}, clock)
  for (let asked = 0; asked < 20; asked++) t.equal(await ask(GREEDY), 502)
  t.equal(await ask(GREEDY), 503, 'it is kept from the upstream')
  for (let asked = 0; asked < 20; asked++) t.equal(await ask(MODEST), 200)
  t.match(
    log.join('\n'),
    /"environment":"test","host":"127\.0\.0\.1:\d+","customerId":9,"msg":"the upstream fails, and is left alone for a while"/,
  )
  clock.up += 5000
  t.equal(await ask(GREEDY), 502, 'one of its own tries after the pause')
  t.equal(await ask(GREEDY), 503)

  upstream.behave = resets
  for (let asked = 0; asked < 40 && (await ask(MODEST)) === 502; asked++);
  t.equal(await ask(MODEST), 503, 'failures of both are the upstream’s')
  clock.up += 5000
  upstream.behave = hangs
  const trial = ask(GREEDY)
  await eventually(() => upstream.arrivals.at(-1)?.socket.destroyed === false, 'it tries')
  t.equal(await ask(MODEST), 503)
  upstream.arrivals.at(-1)?.socket.destroy()
  t.equal(await trial, 502)
  clock.up += 5000
  upstream.behave = issue
  const { length } = upstream.arrivals
  t.equal(await ask(GREEDY), 503, 'after a trial that failed')
  t.equal(upstream.arrivals.length, length)
  t.equal(await ask(MODEST), 200, 'another one tries')
  t.equal(await ask(GREEDY), 200)
})

function issue(arrival: Arrival | undefined): void {
  arrival?.socket.write(answerOf(issuedBody()))
}

/** The first so many that end, whichever they are. */
function firstOf<T>(works: readonly Promise<T>[], number: number): Promise<T>[] {
  const resolvers: ((value: T) => void)[] = []
  const first = Array.from({ length: number }, () => new Promise<T>(resolve => resolvers.push(resolve)))
  for (const work of works) void work.then(value => resolvers.shift()?.(value))
  return first
}

/** A gateway with two customers; `ask` tells the status that one of them gets. */
async function startTwo(t: Test, behave: Behaviour, settings = {}, clock = { up: 0 }) {
  const upstream: HostileUpstream = await startHostile(t, behave)
  const server = await startTestServer(t, {
    accounts: [GREEDY, MODEST].map(({ id, local, real }) => ({
      id,
      authenticators: { test: local },
      upstream: { test: real },
    })),
    now: () => NOON,
    uptime: () => clock.up,
    settings: { MODE: 'gateway', UPSTREAM_TEST_URL: upstream.url, UPSTREAM_PRODUCTION_URL: upstream.url, ...settings },
  })
  const ask = async ({ local }: Customer) => (await server.post({ customerAuthenticator: local })).status
  return { upstream, ask, log: server.log }
}
