import t from 'tap'
import { createdAccount, shownAccount } from '../../schemas/admin.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { onBothEngines } from '../engines.js'
import { errorOf, NOON, startTestServer } from '../harness.js'
import { account, startGateway } from '../upstream/gateway.js'
import { type Arrival, answerOf, ends, issues, startHostile } from '../upstream/hostile.js'

const HOUR = 3_600_000
const MINE = '77,0123456789abcdef0123456789abcdef'
const ADMIN_TOKEN = 'only-for-administrators'
const OTHER = '5,00000000000000000000000000000005'

onBothEngines(t, 'an account has so many tokens a day', async (t, database) => {
  const clock = { now: NOON }
  const server = await startTestServer(t, { settings: { DATABASE_URL: await database() }, now: () => clock.now })
  const admin = administratorOf(server)
  const limit = async (tokensPerDay: number | null) =>
    t.match(await bodyOf(shownAccount, admin.patch('/accounts/77', { limits: { tokensPerDay } })), {
      limits: { requestsPerMinute: 600, tokensPerDay },
    })
  const together = async (count: number) => {
    const asked = Array.from({ length: count }, () => server.get({ customerAuthenticator: MINE }))
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    return [200, 429].map(status => statuses.filter(one => one === status).length)
  }
  const order = { id: 77, authenticators: { test: MINE }, limits: { requestsPerMinute: 600, tokensPerDay: 4 } }
  t.match(await bodyOf(createdAccount, admin.post('/accounts', order)), { limits: order.limits })

  t.same(await together(20), [4, 16], 'exact among many at once')
  const refused = await server.get({ customerAuthenticator: MINE, errorFormat: 'json' })
  t.same([refused.status, refused.headers.get('retry-after')], [429, String(12 * 3600)], 'until midnight in UTC')
  t.match(await errorOf(refused), { code: -2019 })
  t.equal((await server.get({ customerAuthenticator: OTHER })).status, 200, 'others have their own')
  t.match(await bodyOf(shownAccount, admin.get('/accounts/77')), { services: { test: { balance: 1_000_000 - 4 } } })

  await limit(6)
  t.same(await together(3), [2, 1], 'what was issued today counts')
  await limit(3)
  t.same(await together(1), [0, 1])
  clock.now += 12 * HOUR
  t.same(await together(5), [3, 2], 'a new day')
  await limit(null)
  t.same(await together(5), [5, 0])
})

onBothEngines(t, 'what an upstream refuses after midnight goes back to the day before', async (t, database) => {
  let arrived: (arrival: Arrival) => void = () => {}
  const upstream = await startHostile(t, arrival => arrived(arrival))
  const held = new Promise<Arrival>(resolve => {
    arrived = resolve
  })
  const clock = { now: NOON + 12 * HOUR - 1 }
  const settings = { DATABASE_URL: await database(), ADMIN_TOKEN }
  const gateway = await startGateway(t, upstream.url, settings, () => clock.now)
  const limit = { limits: { tokensPerDay: 2 } }
  t.equal((await administratorOf(gateway, ADMIN_TOKEN).patch(`/accounts/${account.id}`, limit)).status, 200)

  const late = gateway.ask('late')
  const arrival = await held
  clock.now += 1
  arrived = issues
  t.equal((await gateway.ask('first')).status, 200, 'a new day')
  ends(answerOf('{"code":-2014,"message":"[-2014] Invalid contentKey"}', { status: '400 Bad Request' }))(arrival)
  t.equal((await late).status, 400)
  t.equal(await gateway.paid(), 1, 'the balance has it back')
  t.equal((await gateway.ask('second')).status, 200)
  const over = await gateway.ask('third')
  t.match(over, { status: 429, retryAfter: String(24 * 3600), body: { code: -2019 } })
  t.match(await gateway.eventsOf('late'), [{ event: 'token_refused' }])
  t.equal(await gateway.paid(), 2)
})
