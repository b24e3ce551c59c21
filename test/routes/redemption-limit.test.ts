import t from 'tap'
import { administratorOf } from '../administrator.js'
import { onBothEngines } from '../engines.js'
import { errorOf, NOON } from '../harness.js'
import { startPostgres } from '../postgres.js'
import { CUSTOMER, clearKeyBody, KID, type LicenceServer, OTHER_KID, startLicenceServer } from '../redeeming.js'

const CLEAR_KEY = '/hms/ck/rights/'
const DAY = 86_400_000

function limit(server: LicenceServer, maxRedemptions: number | null): Promise<Response> {
  return administratorOf(server).patch(`/accounts/${CUSTOMER}`, { maxRedemptions })
}

async function codeOf(answer: Promise<Response>): Promise<number> {
  const response = await answer
  return response.ok ? 200 : (await errorOf(response)).code
}

onBothEngines(t, 'a limited number of redemptions', async (t, database) => {
  t.test('is exact among 200 at once, and refusals burn nothing', async t => {
    const settings = { DATABASE_URL: await database() }
    const server = await startLicenceServer(t, { settings })
    await limit(server, 7)
    const [token, other] = [server.seal(), server.seal()]
    const redeem = (token: string) => codeOf(server.ask(CLEAR_KEY, { token, body: clearKeyBody(KID) }))
    const refused = (token: string) =>
      codeOf(server.ask(CLEAR_KEY, { token, body: clearKeyBody(KID, '00'.repeat(16)) }))

    for (let count = 0; count < 10; count += 1) t.equal(await refused(token), -4022)
    const codes = await Promise.all(
      Array.from({ length: 200 }, (_, index) => (index % 10 === 0 ? redeem(other) : redeem(token))),
    )
    const granted = (index: number) => index % 10 === 0
    t.equal(codes.filter((code, index) => code === 200 && !granted(index)).length, 7)
    t.equal(codes.filter((code, index) => code === 200 && granted(index)).length, 7, 'each token has its own count')
    t.equal(codes.filter(code => code === -4010).length, 200 - 14)
    t.equal(await redeem(token), -4010)

    const events = await allEvents(server)
    t.same(
      events.map(({ event_id }) => event_id),
      Array.from({ length: 23 }, (_, index) => index + 1),
      'numbered without a gap',
    )
    t.equal(events.filter(({ event }) => event === 'token_redeemed').length, 14)
    t.same(
      [-4022, -4010].map(code => events.filter(({ error_code }) => error_code === code).length),
      [3, 2 * 3],
      'the same refusal again and again is not written',
    )

    await limit(server, 8)
    t.same([await redeem(token), await redeem(token)], [200, -4010], 'a new limit counts what was before')
    await limit(server, null)
    t.equal(await redeem(token), 200, 'none')
  })

  t.test('others are numbered with them, and the other environment counts for itself', async t => {
    const server = await startLicenceServer(t, { settings: { DATABASE_URL: await database() } })
    await limit(server, 20)
    const [token, productive] = [server.seal(), server.seal({ environment: 'production' })]
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        index % 2 === 0 ? server.get() : server.ask(CLEAR_KEY, { token, body: clearKeyBody(OTHER_KID) }),
      ),
    )
    t.equal(answers.filter(({ ok }) => ok).length, 50)
    t.same(
      (await allEvents(server)).map(({ event_id }) => event_id),
      Array.from({ length: 30 + 20 + 3 }, (_, index) => index + 1),
    )
    t.equal(await codeOf(server.ask(CLEAR_KEY, { token: productive, body: clearKeyBody(KID) })), 200)
  })

  t.test('the counts of expired tokens are swept away, also without a limit to the log', async t => {
    const DATABASE_URL = await database()
    let now = NOON
    const early = await startLicenceServer(t, { settings: { DATABASE_URL }, now: () => now })
    await limit(early, 1)
    const [short, long] = [early.seal(), early.seal({ expiresAt: NOON + 10 * DAY })]
    for (const token of [short, long])
      t.equal(await codeOf(early.ask(CLEAR_KEY, { token, body: clearKeyBody(KID) })), 200)
    await early.close()

    now = NOON + 3 * DAY
    const late = await startLicenceServer(t, { settings: { DATABASE_URL }, now: () => now })
    // Back in time, so that the swept token is one that could be redeemed.
    now = NOON
    const again = () => codeOf(late.ask(CLEAR_KEY, { token: short, body: clearKeyBody(KID) }))
    while ((await again()) !== 200);
    t.equal(await again(), -4010, 'counted from 1 again')
    t.equal(await codeOf(late.ask(CLEAR_KEY, { token: long, body: clearKeyBody(KID) })), -4010, 'still counted')
  })
})

t.test('two instances on one database count together', async t => {
  const settings = { DATABASE_URL: await (await startPostgres(t)).newDatabase() }
  let uptime = 0
  const start = () => startLicenceServer(t, { settings, uptime: () => uptime })
  const servers = [await start(), await start()] as const
  await limit(servers[0], 9)
  const token = servers[0].seal()
  // Half a second later the other one knows of the limit.
  uptime += 501
  const codes = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      codeOf(servers[index % 2 === 0 ? 0 : 1].ask(CLEAR_KEY, { token, body: clearKeyBody(KID) })),
    ),
  )
  t.equal(codes.filter(code => code === 200).length, 9)
  t.equal(codes.filter(code => code === -4010).length, 91)
})

async function allEvents(server: LicenceServer) {
  const query = new URLSearchParams({
    customerAuthenticator: '201722,1ad8eed133edf43cbcc185f0236828ae',
    start: '0',
    length: '1000',
  })
  const answer = await fetch(`${server.url}/cmiapi/getrecord?${query}`)
  return ((await answer.json()) as { events: { event_id: number; event: string; error_code: number }[] }).events // as documented
}
