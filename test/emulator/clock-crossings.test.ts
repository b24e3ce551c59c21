import t from 'tap'
import type { RecordedEvent } from '../../schemas/records.js'
import { sampleParameters } from '../../src/sample.js'
import { administratorOf } from '../administrator.js'
import { onBothEngines } from '../engines.js'
import { type Change, errorOf, NOON, startTestServer, type TestServer, tokenOf } from '../harness.js'
import { keystoreOf } from '../keystore.js'
import { clearKeyBody } from '../redeeming.js'

const MINUTE = 60_000
const DAY = 86_400_000
const RENTAL = { rightsType: 'Rental', generalFlags: '00000001' }
const KEK = '000102030405060708090a0b0c0d0e0f'

/** A customer of a server, with what a caller can see of it. */
interface Customer {
  readonly id: number
  readonly customerAuthenticator: string
  /** 200, or the code of the refusal. */
  request(change?: Change, headers?: Record<string, string>): Promise<number>
  token(change?: Change): Promise<string>
  redeem(token: string): Promise<number>
  events(): Promise<RecordedEvent[]>
}

/** Something that changes with time: `see` shows one thing until the span is over, and another from then on. */
interface Crossing {
  readonly span: number
  readonly before: unknown
  readonly after: unknown
  /** Whether it is as it was when the clock goes back; what was removed stays removed. */
  readonly comesBack: boolean
  prepare(customer: Customer, server: TestServer): Promise<() => Promise<unknown>>
}

const CROSSINGS: Readonly<Record<string, Crossing>> = {
  'a token expires': {
    ...{ span: MINUTE, before: 200, after: -4010, comesBack: true },
    prepare: async ({ token, redeem }) => {
      const issued = await token({ expirationTime: '+60' })
      return () => redeem(issued)
    },
  },
  'a rental ends': {
    ...{ span: MINUTE, before: 200, after: -4010, comesBack: true },
    prepare: async ({ token, redeem }) => {
      const issued = await token({ ...RENTAL, 'rental.periodEndTime': '+60' })
      return () => redeem(issued)
    },
  },
  'expirationTime is in the past': {
    ...{ span: MINUTE, before: 200, after: -2002, comesBack: true },
    prepare: async ({ request }) => {
      return () => request({ expirationTime: new Date(NOON + MINUTE).toISOString() })
    },
  },
  'rental.periodEndTime is in the past': {
    ...{ span: MINUTE, before: 200, after: -2002, comesBack: true },
    prepare: async ({ request }) => {
      return () => request({ ...RENTAL, 'rental.periodEndTime': new Date(NOON + MINUTE).toISOString() })
    },
  },
  'a replaced authenticator ends': {
    ...{ span: MINUTE, before: 200, after: -2018, comesBack: true },
    prepare: async ({ id, request }, server) => {
      const order = { environment: 'test', validForSeconds: 60 }
      await administratorOf(server).post(`/accounts/${id}/authenticators`, order)
      return () => request()
    },
  },
  'a day with a quota ends': {
    ...{ span: DAY / 2, before: -2019, after: 200, comesBack: true },
    prepare: async ({ id, request }, server) => {
      await administratorOf(server).patch(`/accounts/${id}`, { limits: { tokensPerDay: 3 } })
      for (let count = 0; count < 3; count += 1) await request()
      return () => request()
    },
  },
  'a stored key expires': {
    ...{ span: MINUTE, before: 200, after: 404, comesBack: true },
    prepare: async ({ customerAuthenticator }, server) => {
      const { post, get } = keystoreOf(server)
      const expiration = new Date(NOON + MINUTE).toISOString()
      const kid = '4e2df6b45e8257e187b2802b22ae7418'
      await post('/keys', { customerAuthenticator, kek: KEK, body: { kid, expiration } })
      return async () => (await get(`/keys/${kid}`, { customerAuthenticator })).status
    },
  },
  'an Idempotency-Key ends': {
    ...{ span: MINUTE, before: 'true', after: null, comesBack: false },
    prepare: async ({ customerAuthenticator, request }, server) => {
      await request({}, { 'idempotency-key': 'order-1' })
      return async () => {
        const answer = await server.get({ customerAuthenticator }, { 'idempotency-key': 'order-1' })
        return answer.headers.get('idempotency-replayed')
      }
    },
  },
  'a minute with a limit ends': {
    ...{ span: MINUTE, before: 429, after: 200, comesBack: false },
    prepare: async ({ id, request }, server) => {
      await administratorOf(server).patch(`/accounts/${id}`, { limits: { requestsPerMinute: 2 } })
      for (let count = 0; count < 2; count += 1) await request()
      return () => request()
    },
  },
  'the log ends': {
    ...{ span: 30 * DAY + 1, before: 1, after: 0, comesBack: false },
    prepare: async ({ request, events }) => {
      await request()
      return async () => (await events()).length
    },
  },
}

onBothEngines(t, 'by the clock', async (t, database) => {
  const settings = { DATABASE_URL: await database(), LOG_RETENTION_DAYS: 30, IDEMPOTENCY_SECONDS: 60 }
  const server = await startTestServer(t, { settings, uptime: () => 1234.567 })

  for (const [name, { span, before, after, comesBack, prepare }] of Object.entries(CROSSINGS)) {
    /** Two customers with the same past, of whom one crosses. */
    const two = async () => {
      const [mover, other] = [await newCustomer(server), await newCustomer(server)]
      return { mover, see: await prepare(mover, server), seeOther: await prepare(other, server) }
    }

    t.test(`${name}, for all customers`, async t => {
      const { see, seeOther } = await two()
      const both = async () => [await see(), await seeOther()]
      await server.clock.advance(span - 1)
      t.same(await both(), [before, before], 'a millisecond before')
      await server.clock.advance(1)
      t.same(await both(), [after, after])
      if (comesBack) {
        await server.clock.advance(-1)
        t.same(await both(), [before, before], 'a millisecond back')
      }
      await server.clock.reset()
      if (comesBack) t.same(await both(), [before, before])
    })

    t.test(`${name}, for one customer, while time stands still for the others`, async t => {
      const { mover, see, seeOther } = await two()
      const clock = server.clock.of(mover.id)
      await clock.advance(span - 1)
      t.equal(await see(), before, 'a millisecond before')
      await clock.advance(1)
      t.same([await see(), await seeOther()], [after, before])
      if (comesBack) {
        await clock.advance(-1)
        t.same([await see(), await seeOther()], [before, before], 'a millisecond back')
      }
      await clock.reset()
    })

    t.test(`${name}, for the others, while time stands still for one customer`, async t => {
      const { mover, see, seeOther } = await two()
      await server.clock.of(mover.id).freeze()
      await server.clock.advance(span)
      t.same([await see(), await seeOther()], [before, after])
      await server.clock.of(mover.id).reset()
      t.equal(await see(), after, 'who goes by the clock of all again')
      await server.clock.reset()
    })
  }

  t.test('a day is found as it was when the clock goes back to it, and forward again', async t => {
    const { id, request } = await newCustomer(server)
    const clock = server.clock.of(id)
    await administratorOf(server).patch(`/accounts/${id}`, { limits: { tokensPerDay: 2 } })
    const two = async () => [await request(), await request()]
    t.same(await two(), [200, 200])
    await clock.advance('1d')
    t.same(await request(), 200)
    await clock.advance('-1d')
    t.same(await request(), -2019, 'all of the first day was used')
    await clock.advance('1d')
    t.same(await two(), [200, -2019], 'half of the second was')
    await clock.advance('-2d')
    t.same(await two(), [200, 200], 'nothing of the day before')
    await clock.reset()
  })

  t.test('a key that expired thirty days ago is deleted, and does not come back', async t => {
    const kid = '4e2df6b45e8257e187b2802b22ae7418'
    const { post, get } = keystoreOf(server)
    const customers = [await newCustomer(server), await newCustomer(server)] as const
    const [one, other] = customers
    const expiration = new Date(NOON + MINUTE).toISOString()
    for (const { customerAuthenticator } of customers)
      await post('/keys', { customerAuthenticator, kek: KEK, body: { kid, expiration } })
    const statuses = () =>
      Promise.all(
        customers.map(
          async ({ customerAuthenticator }) => (await get(`/keys/${kid}`, { customerAuthenticator })).status,
        ),
      )
    const mine = server.clock.of(one.id)
    for (const [clock, age, left] of [
      [mine, 30 * DAY - 1, [200, 200]],
      [mine, 30 * DAY, [404, 200]],
      [server.clock, 30 * DAY - 1, [404, 200]],
      [server.clock, 30 * DAY, [404, 404]],
    ] as const) {
      await clock.set(NOON + MINUTE + age)
      await clock.reset()
      t.same(await statuses(), left)
    }
    t.equal(server.clock.of(other.id).now(), NOON)
  })

  t.test('the log has the time of the clock, of issued, refused and redeemed tokens', async t => {
    const { id, request, token, redeem, events } = await newCustomer(server)
    const clock = server.clock.of(id)
    await clock.set('2031-02-03T04:05:06.789Z')
    const issued = await token()
    await request({ kid: 'short' })
    await clock.advance(211)
    await redeem(issued)
    t.match(await events(), [
      { event: 'token_redeemed', time: '2031-02-03T04:05:07.000Z' },
      { event: 'token_refused', time: '2031-02-03T04:05:06.789Z' },
      { event: 'token_issued', time: '2031-02-03T04:05:06.789Z' },
    ])
    t.match(server.openToken(issued), { issuedAt: Date.UTC(2031, 1, 3, 4, 5, 6, 789) })
    await clock.reset()
  })
})

let lastId = 100_000

/** In production nothing has happened, and nothing will. */
async function newCustomer(server: TestServer): Promise<Customer> {
  lastId += 1
  const id = lastId
  const customerAuthenticator = `${id},${String(id).padStart(32, '0')}`
  const created = await administratorOf(server).post('/accounts', {
    id,
    authenticators: { test: customerAuthenticator },
  })
  if (created.status !== 201) throw new Error(await created.text())
  const ask = (change: Change = {}, headers?: Record<string, string>) =>
    server.get({ customerAuthenticator, errorFormat: 'json', ...change }, headers)
  return {
    id,
    customerAuthenticator,
    request: async (change, headers) => codeOf(await ask(change, headers)),
    token: async change => tokenOf(await ask(change)),
    redeem: async token => {
      const url = `${server.url}/hms/ck/rights/?${new URLSearchParams({ ExpressPlayToken: token })}`
      return codeOf(await fetch(url, { method: 'POST', body: clearKeyBody(sampleParameters.kid) }))
    },
    events: async () => {
      const query = new URLSearchParams({ customerAuthenticator })
      const answer = await fetch(`${server.url}/cmiapi/getrecord/?${query}`)
      return ((await answer.json()) as { events: RecordedEvent[] }).events // as documented
    },
  }
}

async function codeOf(answer: Response): Promise<number> {
  return answer.ok ? 200 : (await errorOf(answer)).code
}
