import t, { type Test } from 'tap'
import { shownAccount } from '../../schemas/admin.js'
import { sampleParameters } from '../../src/sample.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { onBothEngines } from '../engines.js'
import { accounts, CONTENT_KEY, errorOf, tokenOf } from '../harness.js'
import { startPostgres } from '../postgres.js'
import { CUSTOMER, clearKeyBody, KID, type LicenceServer, startLicenceServer } from '../redeeming.js'

interface Start {
  readonly DATABASE_URL: string
  readonly charge?: 'issue' | 'redemption'
  readonly balance?: number
  readonly tokensPerDay?: number | null
  readonly maxRedemptions?: number | null
  readonly uptime?: () => number
}

/** A server whose customer pays as it says. */
async function startCharging(t: Test, { DATABASE_URL, uptime = () => 0, ...start }: Start) {
  const { charge = 'redemption', balance = 1, tokensPerDay = null, maxRedemptions = null } = start
  const customer = { ...accounts[0], id: CUSTOMER, authenticators: { test: sampleParameters.customerAuthenticator } }
  const server = await startLicenceServer(t, {
    settings: { DATABASE_URL },
    accounts: [{ ...customer, charge, balance, maxRedemptions, limits: { tokensPerDay } }],
    uptime,
  })
  server.keepSecret(CONTENT_KEY)
  return { server, ...charging(server) }
}

function charging(server: LicenceServer) {
  const admin = administratorOf(server)
  const codeOf = async (answer: Response) => (answer.ok ? 200 : (await errorOf(answer)).code)
  return {
    issue: async () => tokenOf(await server.get()),
    issueCode: async () => codeOf(await server.get()),
    /** Whether it is granted: 200, or the code of the error. */
    redeem: async (token: string, kid: string = sampleParameters.kid) =>
      codeOf(await server.ask('/hms/ck/rights/', { token, body: clearKeyBody(kid) })),
    balance: async () => (await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`))).services.test.balance,
    setBalance: (set: number) => admin.post(`/accounts/${CUSTOMER}/balance`, { environment: 'test', set }),
    change: (change: object) => admin.patch(`/accounts/${CUSTOMER}`, change),
    events: async () => {
      const query = { customerAuthenticator: sampleParameters.customerAuthenticator, start: '0', length: '1000' }
      const answer = await fetch(`${server.url}/cmiapi/getrecord?${new URLSearchParams(query)}`)
      return ((await answer.json()) as { events: { event_id: number; event: string; error_code: number }[] }).events // as documented
    },
  }
}

const times = <T>(count: number, make: (index: number) => T) => Array.from({ length: count }, (_, index) => make(index))
const count = (codes: readonly number[], code: number) => codes.filter(one => one === code).length

onBothEngines(t, 'an account that pays for redemptions', async (t, database) => {
  t.test('issuing needs a balance and takes nothing; the first redemption takes one, later ones are free', async t => {
    const { server, ...client } = await startCharging(t, { DATABASE_URL: await database(), balance: 1 })
    const [first = '', second = ''] = [await client.issue(), await client.issue()]
    t.match(server.openToken(first), { charge: 'redemption' })
    t.equal(await client.balance(), 1)

    t.equal(await client.redeem(first, '00'.repeat(16)), -4022)
    t.equal(await client.balance(), 1, 'a refusal takes nothing')
    t.same([await client.redeem(first), await client.redeem(first)], [200, 200])
    t.equal(await client.balance(), 0)
    t.equal(await client.redeem(second), -2019)
    t.equal(await client.issueCode(), -2019)
    t.equal(await client.redeem(first), 200, 'it is paid for')

    await client.setBalance(1)
    t.equal(await client.redeem(second), 200)
    t.equal(await client.balance(), 0)
    t.same(
      (await client.events()).map(({ event_id, event, error_code }) => [event_id, event, error_code]),
      [
        [1, 'token_issued', 0],
        [2, 'token_issued', 0],
        [3, 'redemption_refused', -4022],
        [4, 'token_redeemed', 0],
        [5, 'token_redeemed', 0],
        [6, 'redemption_refused', -2019],
        [7, 'token_refused', -2019],
        [8, 'token_redeemed', 0],
        [9, 'token_redeemed', 0],
      ],
    )
  })

  t.test('a token that is redeemed 100 times at once is paid for once', async t => {
    const client = await startCharging(t, { DATABASE_URL: await database(), balance: 5 })
    const token = await client.issue()
    const codes = await Promise.all(times(100, () => client.redeem(token)))
    t.equal(count(codes, 200), 100)
    t.equal(await client.balance(), 4)
  })

  t.test('of many tokens that race for the last credits exactly as many are redeemed', async t => {
    const client = await startCharging(t, { DATABASE_URL: await database(), balance: 3 })
    const tokens = times(30, () => client.server.seal({ charge: 'redemption' }))
    const codes = await Promise.all(times(120, index => client.redeem(tokens[index % 30] ?? '', KID)))
    const perToken = tokens.map((_, token) => codes.filter((_, index) => index % 30 === token))
    t.equal(perToken.filter(codes => codes.every(code => code === 200)).length, 3, 'as often as they were asked for')
    t.equal(perToken.filter(codes => codes.every(code => code === -2019)).length, 27)
    t.equal(await client.balance(), 0)
    const events = await client.events()
    t.equal(events.filter(({ event }) => event === 'token_redeemed').length, 3 * 4)
    t.same(
      events.map(({ event_id }) => event_id),
      times(events.length, index => index + 1),
      'numbered without a gap',
    )
  })

  t.test('tokens that are issued and tokens that are redeemed share a balance', async t => {
    const client = await startCharging(t, { DATABASE_URL: await database(), charge: 'issue', balance: 40 })
    const race = (issued: number, redeemed: number) =>
      Promise.all([
        ...times(issued, () => client.issueCode()),
        ...times(redeemed, () => client.redeem(client.server.seal({ charge: 'redemption' }), KID)),
      ])
    const scarce = await race(50, 50)
    t.equal(count(scarce, 200), 40)
    t.equal(count(scarce, -2019), 60)
    t.equal(await client.balance(), 0)

    await client.setBalance(60)
    await client.change({ limits: { tokensPerDay: 1 } }) // today it had more
    const limited = await race(30, 50)
    t.equal(count(limited, 200), 50, 'redemptions do not count among the tokens of a day')
    t.equal(await client.balance(), 10)
  })

  t.test('tokens a day count when they are issued', async t => {
    const client = await startCharging(t, { DATABASE_URL: await database(), balance: 1, tokensPerDay: 20 })
    const codes = await Promise.all(times(60, () => client.issueCode()))
    t.equal(count(codes, 200), 20)
    t.equal(count(codes, -2019), 40)
    t.equal(await client.balance(), 1)
  })

  t.test('a limited token is paid for once, and a redemption without balance does not count', async t => {
    const client = await startCharging(t, { DATABASE_URL: await database(), balance: 1, maxRedemptions: 2 })
    const [first, second] = [await client.issue(), await client.issue()]
    const codes = await Promise.all(times(10, () => client.redeem(first)))
    t.same([count(codes, 200), count(codes, -4010)], [2, 8])
    t.equal(await client.balance(), 0)
    t.same(await Promise.all(times(3, () => client.redeem(second))), [-2019, -2019, -2019])
    await client.setBalance(5)
    t.same([await client.redeem(second), await client.redeem(second), await client.redeem(second)], [200, 200, -4010])
    t.equal(await client.balance(), 4)
  })

  t.test('a token is paid for as it was issued, whatever its account says later', async t => {
    const client = await startCharging(t, { DATABASE_URL: await database(), charge: 'issue', balance: 10 })
    const paid = await client.issue()
    t.match(client.server.openToken(paid), { charge: 'issue' })
    t.equal(await client.balance(), 9)
    await client.change({ charge: 'redemption' })
    const unpaid = await client.issue()
    t.equal(await client.redeem(paid), 200)
    t.equal(await client.balance(), 9)
    await client.change({ charge: 'issue' })
    t.same([await client.redeem(unpaid), await client.redeem(unpaid), await client.redeem(paid)], [200, 200, 200])
    t.equal(await client.balance(), 8)
    await client.change({ charge: 'redemption' })
    t.equal(await client.redeem(unpaid), 200)
    t.equal(await client.balance(), 8)
  })
})

t.test('two instances on one database charge a token once, and no more tokens than the balance covers', async t => {
  const DATABASE_URL = await (await startPostgres(t)).newDatabase()
  const one = await startCharging(t, { DATABASE_URL, balance: 1000 })
  const other = await startCharging(t, { DATABASE_URL })
  const redeemEach = (tokens: readonly string[], rounds: number) =>
    Promise.all(
      times(rounds, () => tokens.flatMap(token => [one, other].map(client => client.redeem(token, KID)))).flat(),
    )
  // Both have the same tokens at the same time, so one sees them as they were before the other has redeemed them.
  const tokens = times(60, () => one.server.seal({ charge: 'redemption' }))
  t.equal(count(await redeemEach(tokens, 2), 200), 60 * 2 * 2)
  t.equal(await one.balance(), 1000 - 60)

  // With a balance for each of them, none may be refused because another is seen as unpaid.
  const more = times(40, () => one.server.seal({ charge: 'redemption' }))
  await one.setBalance(more.length)
  t.equal(count(await redeemEach(more, 2), 200), 40 * 2 * 2)
  t.equal(await one.balance(), 0)

  await one.setBalance(7)
  const most = times(40, () => one.server.seal({ charge: 'redemption' }))
  const codes = await redeemEach(most, 2)
  t.equal(count(codes, 200), 7 * 2 * 2)
  t.equal(count(codes, -2019), 33 * 2 * 2)
  t.equal(await one.balance(), 0)
})
