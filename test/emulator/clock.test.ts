import fc from 'fast-check'
import t from 'tap'
import { shownClock } from '../../schemas/clock.js'
import { pooledRandomness } from '../../src/ground/randomness.js'
import { ConfigError } from '../../src/index.js'
import { GroupLedger } from '../../src/ledger/group-ledger.js'
import { sampleParameters } from '../../src/sample.js'
import { openStore } from '../../src/store/store.js'
import { administratorOf, bodyOf, type Malformed, requireMalformed } from '../administrator.js'
import { appWith } from '../app.js'
import { repetitions } from '../counts.js'
import { onBothEngines } from '../engines.js'
import { CATALOGUE } from '../entitlement/service.js'
import { emulating } from '../entitlement/stages.js'
import { CONTENT, entry, says, startEntitled } from '../entitlement/webhook-customer.js'
import { errorOf, NOON, startTestServer, tokenOf } from '../harness.js'
import { CUSTOMER } from '../redeeming.js'
import { ADMIN_TOKEN, startGateway } from '../upstream/gateway.js'

const DAY = 86_400_000
const OTHER = 5
const OTHERS_AUTHENTICATOR = '5,00000000000000000000000000000005'

t.test('the clock is shown, set, advanced and reset over HTTP, as in the library', async t => {
  let machine = NOON
  const server = await startTestServer(t, { now: () => machine, uptime: () => machine })
  const admin = administratorOf(server)
  const put = (body: unknown) => bodyOf(shownClock, admin.ask('PUT', '/clock', body))
  const advance = (seconds: number) => bodyOf(shownClock, admin.post('/clock/advance', { seconds }))
  const reset = () => bodyOf(shownClock, admin.ask('DELETE', '/clock'))
  const real = { now: '2026-06-01T12:00:00.000Z', offsetSeconds: 0, frozen: false }

  t.same(await bodyOf(shownClock, admin.get('/clock')), real)
  t.same(await put({ now: '2026-06-02T12:00:00Z' }), {
    ...real,
    now: '2026-06-02T12:00:00.000Z',
    offsetSeconds: 86_400,
  })
  machine += 250
  t.match(
    await advance(-0.25),
    { now: '2026-06-02T12:00:00.000Z', offsetSeconds: 86_399.75, frozen: false },
    'it ran on',
  )
  t.match(await put({ frozen: true }), { now: '2026-06-02T12:00:00.000Z', frozen: true })
  machine += 1000
  t.match(await bodyOf(shownClock, admin.get('/clock')), { now: '2026-06-02T12:00:00.000Z', offsetSeconds: 86_398.75 })
  t.match(await put({ now: '2026-06-01T12:00:01.5Z' }), { offsetSeconds: 0.25, frozen: true }, 'it stays frozen')
  t.match(await put({ frozen: false }), { now: '2026-06-01T12:00:01.500Z', offsetSeconds: 0.25, frozen: false })
  t.match(await reset(), { now: '2026-06-01T12:00:01.250Z', offsetSeconds: 0, frozen: false })
  machine = NOON

  const { clock } = server
  t.equal(clock.now(), NOON)
  for (const moment of [new Date(NOON + DAY), NOON + DAY, '2026-06-02T12:00:00Z', '2026-06-02T12:00:00.000Z'])
    t.match(await clock.set(moment), { offsetSeconds: 86_400, frozen: false })
  t.match(await clock.set('2026-06-02', { frozen: true }), { now: '2026-06-02T00:00:00.000Z', frozen: true })
  machine += 1
  t.match(await clock.unfreeze(), { now: '2026-06-02T00:00:00.000Z', frozen: false })
  machine = NOON
  await clock.reset()
  const spans = { '250ms': 0.25, '10s': 10, '5m': 300, '12h': 43_200, '31d': 2_678_400, '2w': 1_209_600, '1.5 h': 5400 }
  for (const [span, seconds] of Object.entries(spans)) {
    t.match(await clock.advance(span), { offsetSeconds: seconds }, span)
    t.match(await clock.advance(`-${span}`), { offsetSeconds: 0 }, `-${span}`)
  }
  t.match(await clock.advance(1500), { offsetSeconds: 1.5 }, 'milliseconds')
  for (const wrong of ['31', 'd', '1y', '', Number.NaN]) await t.rejects(clock.advance(wrong), TypeError)
  for (const wrong of ['noon', '2026-02-30', new Date('never')]) await t.rejects(clock.set(wrong), TypeError)
  await t.rejects(clock.set(NOON * 1000), /now: the clock must stay within its reach, from 2000-01-01/)
  t.match(await clock.show(), { offsetSeconds: 1.5 }, 'what is refused changes nothing')
})

t.test('a clock moves by exactly as much as was said, however often the machine is asked', async t => {
  let machine = NOON
  const next = () => {
    machine += 1
    return machine
  }
  const { clock } = await startTestServer(t, { now: next, uptime: next })
  t.match(await clock.show(), { offsetSeconds: 0 })
  t.match(await clock.advance('1d'), { offsetSeconds: 86_400 })
  t.match(await clock.advance('-1d'), { offsetSeconds: 0 })
  t.match(await clock.of(201722).advance('1h'), { offsetSeconds: 3600 })
})

t.test('a customer has the clock of all, until it gets its own', async t => {
  const server = await startTestServer(t)
  const admin = administratorOf(server)
  const path = `/accounts/${CUSTOMER}/clock`
  const shown = (method: string, end = '', body?: unknown) => bodyOf(shownClock, admin.ask(method, path + end, body))
  await server.clock.set(NOON + DAY, { frozen: true })
  t.match(await shown('GET'), { now: '2026-06-02T12:00:00.000Z', own: false, frozen: true })
  const own = { now: '2026-06-02T12:01:00.000Z', offsetSeconds: 86_460, own: true, frozen: true }
  t.same(await shown('POST', '/advance', { seconds: 60 }), own, 'it begins where that of all stands')
  await server.clock.reset()
  t.same(await shown('GET'), own)
  t.match(await shown('PUT', '', { now: '2000-01-01T00:00:00Z', frozen: false }), { own: true, frozen: false })
  t.equal(server.clock.of(CUSTOMER).now(), Date.UTC(2000, 0, 1))
  t.equal(server.clock.of(OTHER).now(), NOON)
  t.same(await shown('DELETE'), { now: '2026-06-01T12:00:00.000Z', offsetSeconds: 0, frozen: false, own: false })

  for (const [method, end, body] of [
    ['GET', ''],
    ['PUT', '', { frozen: true }],
    ['POST', '/advance', { seconds: 1 }],
    ['DELETE', ''],
  ] as const) {
    const answer = await admin.ask(method, `/accounts/4711/clock${end}`, body)
    t.equal(answer.status, 404, method)
    t.match(await errorOf(answer), { code: 404, parameter: 'id' })
  }
  await t.rejects(server.clock.of(4711).advance('1d'), /There is no account with this id/)
  t.equal(server.clock.of(4711).now(), NOON)
})

t.test('what is no time is refused, and changes nothing', async t => {
  const server = await startTestServer(t)
  const admin = administratorOf(server)
  const cases = ['', `/accounts/${CUSTOMER}`].flatMap((of): Malformed[] => [
    ['PUT', `${of}/clock`, {}, undefined],
    ['PUT', `${of}/clock`, [], undefined],
    ['PUT', `${of}/clock`, 'null', undefined],
    ['PUT', `${of}/clock`, '', undefined],
    ['PUT', `${of}/clock`, { now: '2027-01-01' }, 'now'],
    ['PUT', `${of}/clock`, { now: '2027-02-30T00:00:00Z' }, 'now'],
    ['PUT', `${of}/clock`, { now: NOON }, 'now'],
    ['PUT', `${of}/clock`, { now: null, frozen: true }, 'now'],
    ['PUT', `${of}/clock`, { now: '1999-12-31T23:59:59.999Z' }, 'now'],
    ['PUT', `${of}/clock`, { now: '9999-01-01T00:00:00Z' }, 'now'],
    ['PUT', `${of}/clock`, { frozen: 'yes' }, 'frozen'],
    ['PUT', `${of}/clock`, { frozen: true, moment: '2027-01-01T00:00:00Z' }, 'moment'],
    ['POST', `${of}/clock/advance`, {}, 'seconds'],
    ['POST', `${of}/clock/advance`, { seconds: '60' }, 'seconds'],
    ['POST', `${of}/clock/advance`, { seconds: -1e9 }, 'seconds'],
    ['POST', `${of}/clock/advance`, { seconds: 1e12 }, 'seconds'],
    ['POST', `${of}/clock/advance`, '{"seconds":1e999}', 'seconds'],
    ['POST', `${of}/clock/advance`, { second: 1, seconds: 1 }, 'second'],
  ])
  await requireMalformed(t, admin, cases, [])
  await requireMalformed(t, admin, [['GET', '/accounts/x/clock', undefined, 'id']], [])
  const misspelt = await admin.ask('PUT', '/clock', { Now: '2027-01-01T00:00:00Z', frozn: true })
  t.match(await errorOf(misspelt), {
    message: '[400] has unknown fields: Now (did you mean now?), frozn (did you mean frozen?)',
    parameter: 'Now',
  })
  t.same([server.clock.now(), server.clock.of(CUSTOMER).now()], [NOON, NOON])
  t.match(await server.clock.of(CUSTOMER).show(), { own: false })

  const member = fc.oneof(fc.constantFrom('now', 'frozen', 'seconds'), fc.string())
  const value = fc.oneof(fc.jsonValue(), fc.double(), fc.boolean(), fc.date({ noInvalidDate: true }))
  const place = fc.constantFrom(
    ...['/clock', '/clock/advance'].flatMap(end => ['', '/accounts/5', '/accounts/0'].map(of => of + end)),
  )
  const request = fc.record({ place, method: fc.constantFrom('PUT', 'POST'), body: fc.dictionary(member, value) })
  await fc.assert(
    fc.asyncProperty(request, async ({ place, method, body }) => {
      const answer = await admin.ask(method, place, body)
      if (answer.status === 200) return shownClock.parse(await answer.json()) !== undefined
      const { code } = await errorOf(answer)
      return [400, 404, 405].includes(answer.status) && code === answer.status
    }),
    { numRuns: repetitions({ usual: 300, long: 4000 }) },
  )
  t.equal((await fetch(`${server.url}/readyz`)).status, 200)
})

t.test('only so many accounts have a clock of their own', async t => {
  const accounts = Array.from({ length: 501 }, (_, index) => ({ id: index + 1, authenticators: {} }))
  const server = await startTestServer(t, { accounts })
  for (let id = 1; id <= 500; id += 1) await server.clock.of(id).freeze()
  const one = administratorOf(server)
  t.equal((await one.ask('PUT', '/accounts/501/clock', { frozen: true })).status, 409)
  t.equal((await one.ask('PUT', '/accounts/500/clock', { frozen: false })).status, 200)
  await server.clock.of(7).reset()
  t.equal((await one.ask('PUT', '/accounts/501/clock', { frozen: true })).status, 200)
  await server.clock.advance('1d')
  t.equal(server.clock.of(1).now(), NOON)
})

t.test('a gateway has no clock but that of its machine', async t => {
  const server = await startGateway(t, 'http://127.0.0.1:9')
  t.throws(() => server.clock.now(), ConfigError)
  t.throws(() => server.clock.of(1), /server\.clock\.of: only an emulator has it/)
  const admin = administratorOf(server, ADMIN_TOKEN)
  for (const path of ['/clock', '/accounts/1/clock']) t.equal((await admin.get(path)).status, 404)
})

onBothEngines(t, 'what falls due', async (t, database) => {
  t.test('is done before the answer, however much it is, and a clock that was set is believed', async t => {
    const DATABASE_URL = await database()
    const settings = { DATABASE_URL, LOG_RETENTION_DAYS: 1 }
    const first = await startTestServer(t, { settings })
    await Promise.all(Array.from({ length: 600 }, () => first.get()))
    t.ok((await eventsOf(first.url)).length > 0)
    await first.clock.set('9998-12-31T23:59:59.999Z')
    t.equal((await eventsOf(first.url)).length, 0)
    t.equal((await first.get()).status, 200, 'to the end of time')
    await first.close()

    const later = await openStore(DATABASE_URL)
    t.equal(await later.clock.lastSeen(), NOON, 'and the database remembers real time')
    await later.close()
  })

  t.test('is done by a clock that was set, where that of the machine is not trusted', async t => {
    const settings = { DATABASE_URL: await database(), LOG_RETENTION_DAYS: 1 }
    const first = await startTestServer(t, { settings })
    await first.get()
    await first.close()
    const { clock, url } = await startTestServer(t, { settings, now: () => NOON + 400 * DAY })
    await clock.reset()
    t.equal((await eventsOf(url)).length, 1, 'it is far ahead')
    await clock.of(OTHER).freeze()
    t.equal((await eventsOf(url)).length, 1, 'which is of another customer')
    await clock.set(NOON + 400 * DAY)
    t.equal((await eventsOf(url)).length, 0)
  })

  t.test('becomes of tokens that a process left behind, too', async t => {
    const DATABASE_URL = await database()
    const settings = { DATABASE_URL }
    await (await startTestServer(t, { settings })).close() // which makes the accounts
    const store = await openStore(DATABASE_URL)
    const ledger = new GroupLedger(store.events, pooledRandomness())
    const asked = { time: NOON, event: 'token_issued', drm: 'playready', kids: [], errorCode: 0 } as const
    for (const customerId of [CUSTOMER, OTHER])
      await ledger.reserve({ ...asked, customerId, environment: 'test', requestId: `${customerId}` })
    await store.close()

    const { clock, url } = await startTestServer(t, { settings })
    await clock.of(OTHER).advance('5m')
    await clock.advance('5m')
    const found = async () => [await eventsOf(url), await eventsOf(url, OTHERS_AUTHENTICATOR)]
    t.same(await found(), [[], []])
    await clock.of(OTHER).advance(1)
    const unknown = [{ event: 'token_unknown', time: '2026-06-01T12:05:00.001Z' }]
    t.match(await found(), [[], unknown])
    await clock.advance(1)
    t.match(await found(), [unknown, unknown])
  })

  t.test('is told when it is done', async t => {
    const server = await startTestServer(t, { settings: { DATABASE_URL: await database(), LOG_RETENTION_DAYS: 1 } })
    await server.get()
    const changes: unknown[] = []
    server.clock.changed.add(change => void changes.push(change))
    await server.clock.advance('1d')
    await server.clock.of(CUSTOMER).freeze()
    await server.clock.reset()
    t.match(changes, [
      { customerId: undefined, clock: { offsetSeconds: 86_400 } },
      { customerId: CUSTOMER, clock: { own: true, frozen: true } },
      { customerId: undefined, clock: { offsetSeconds: 0 } },
    ])
  })
})

t.test('all clocks can be put back to where they stood', async t => {
  const { services, ask } = await appWith(t, { settings: { RATE_LIMIT_PER_ACCOUNT: 1 }, uptime: () => 0 })
  const { emulator } = services
  if (emulator === undefined) throw new Error('it is an emulator')
  const { clock } = emulator
  const stands = () => [clock.now(), clock.of(CUSTOMER).now(), clock.of(OTHER).now()]
  await clock.of(CUSTOMER).set(NOON + DAY, { frozen: true })
  t.equal((await ask()).statusCode, 200)
  const saved = clock.save()
  await clock.set(NOON - DAY)
  await clock.of(CUSTOMER).reset()
  await clock.of(OTHER).freeze()
  await clock.restore(saved)
  t.same(stands(), [NOON, NOON + DAY, NOON])
  t.match(await clock.of(CUSTOMER).show(), { frozen: true, own: true })
  await clock.of(CUSTOMER).advance('1m')
  t.equal((await ask()).statusCode, 200, 'the limit of its own minute')
  await clock.restore()
  t.same(stands(), [NOON, NOON, NOON])
  t.match(await clock.of(CUSTOMER).show(), { own: false })
})

t.test(
  'the limit of an address goes by the clock of all, and the clock can be moved by those whom it refuses',
  async t => {
    let machine = 0
    const server = await startTestServer(t, { settings: { RATE_LIMIT_PER_ADDRESS: 2 }, uptime: () => machine })
    const admin = administratorOf(server)
    const statuses = async () => [(await server.get()).status, (await server.get()).status, (await server.get()).status]
    t.same(await statuses(), [200, 200, 429])
    t.equal((await admin.ask('PUT', '/clock', { frozen: true })).status, 200)
    machine += 3_600_000
    t.same(await statuses(), [429, 429, 429], 'a frozen minute never ends')
    await admin.post('/clock/advance', { seconds: 59.999 })
    t.same(await statuses(), [429, 429, 429])
    await admin.post('/clock/advance', { seconds: 0.001 })
    t.same(await statuses(), [200, 200, 429])
    await admin.post('/clock/advance', { seconds: -0.001 })
    t.same(await statuses(), [200, 200, 429], 'a minute that has not begun is over')
    await server.clock.of(CUSTOMER).advance('1d')
    t.same(await statuses(), [429, 429, 429])
  },
)

t.test('an entitlement ends by the clock of its account', async t => {
  const { server, ask } = await emulating(t)
  const clock = server.clock.of(CUSTOMER)
  const going = async () => (await ask({ contentID: CATALOGUE.going })).error
  await clock.advance(58_999)
  t.equal(await going(), 0)
  await clock.advance(1)
  t.equal(await going(), 0, 'a second is left')
  await clock.advance(1)
  t.equal(await going(), 1103)
  await server.clock.advance('-1d')
  t.equal(await going(), 1103)
  await clock.advance(-1)
  t.equal(await going(), 0)
  await clock.set(NOON - DAY)
  const { epTokenURL } = await ask({ contentID: CATALOGUE.rental })
  const [token = ''] = new URL(epTokenURL).searchParams.getAll('ExpressPlayToken')
  t.match(server.openToken(token), {
    issuedAt: NOON - DAY,
    expiresAt: NOON - DAY + 3_600_000,
    keys: [{ policy: { 'rental.periodEndTime': NOON - DAY + 7_200_000 } }],
  })
})

t.test("a webhook's answer holds by the clock of the account, and is signed with real time", async t => {
  const { customer, ask, server } = await startEntitled(t, { settings: { ENTITLEMENT_WEBHOOK_CACHE: 60 } })
  customer.behave = says({ isAllowed: true, content: entry() })
  const clock = server.clock.of(CUSTOMER)
  const arrivals = async () => {
    await ask({ contentID: CONTENT })
    return customer.arrivals.length
  }
  await clock.freeze()
  t.equal(await arrivals(), 1)
  await clock.advance(59_999)
  t.equal(await arrivals(), 1)
  await clock.advance(1)
  t.equal(await arrivals(), 2)
  await clock.advance(-1)
  t.equal(await arrivals(), 3, 'before it was asked')
  await server.clock.advance('1d')
  t.equal(await arrivals(), 3)
  await clock.advance('31d')
  await arrivals()
  const signed = customer.arrivals.map(({ headers }) => headers['x-entitlement-signature'])
  for (const signature of signed) t.match(signature, new RegExp(`^t=${NOON / 1000},`))
})

t.test('requests of all kinds while the clock jumps', async t => {
  const server = await startTestServer(t, { settings: { LOG_RETENTION_DAYS: 1 } })
  const jumps = Array.from({ length: 40 }, (_, index) =>
    index % 2 === 0 ? server.clock.advance(index % 3 === 0 ? '2d' : '-1d') : server.clock.of(OTHER).advance('1h'),
  )
  const asked = Array.from({ length: 200 }, async (_, index) => {
    const answer = await server.get(index % 2 === 0 ? {} : { customerAuthenticator: OTHERS_AUTHENTICATOR })
    return answer.status === 200 ? typeof (await tokenOf(answer)) : (await errorOf(answer)).code
  })
  await Promise.all(jumps)
  t.same(new Set(await Promise.all(asked)), new Set(['string', -2019]))
})

async function eventsOf(
  url: string,
  authenticator: string = sampleParameters.customerAuthenticator,
): Promise<unknown[]> {
  const answer = await fetch(`${url}/cmiapi/getrecord/?customerAuthenticator=${authenticator}`)
  return ((await answer.json()) as { events: unknown[] }).events // as documented
}
