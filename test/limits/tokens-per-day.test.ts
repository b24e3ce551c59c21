import t from 'tap'
import { createdAccount, shownAccount } from '../../schemas/admin.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { onBothEngines } from '../engines.js'
import { errorOf, NOON, startTestServer } from '../harness.js'

const HOUR = 3_600_000
const MINE = '77,0123456789abcdef0123456789abcdef'
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
