import pg from 'pg'
import t, { type Test } from 'tap'
import { administratorOf } from '../administrator.js'
import { accounts, startTestServer, type TestServer } from '../harness.js'
import { startPostgres } from '../postgres.js'
import { CUSTOMER, clearKeyBody, KID, startLicenceServer } from '../redeeming.js'
import { eventually } from './load.js'
import { startService } from './service.js'
import { startWire } from './wire.js'

const postgres = await startPostgres(t)
const OTHER = '10,00000000000000000000000000000010'
const both = [...accounts, { id: 10, authenticators: { test: OTHER } }]

/** Locks a customer's row from outside; answers how to let go of it. */
async function lock(t: Test, url: string, customer: number): Promise<() => Promise<unknown>> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  await client.query('BEGIN')
  await client.query('SELECT 1 FROM services WHERE account_id = $1 FOR UPDATE', [customer])
  return () => client.query('ROLLBACK')
}

const statuses = async (answers: Promise<Response>[]) => (await Promise.all(answers)).map(({ status }) => status)
const times = <T>(count: number, make: () => T) => Array.from({ length: count }, make)

t.test('while one customer is locked the others get their tokens, from every instance', async t => {
  const DATABASE_URL = await postgres.newDatabase()
  const start = () => startTestServer(t, { accounts: both, settings: { DATABASE_URL } })
  const servers = [await start(), await start()]
  const own = (server: TestServer) => server.get()
  const others = (server: TestServer) => server.get({ customerAuthenticator: OTHER })
  const release = await lock(t, DATABASE_URL, CUSTOMER)

  for (const server of servers) {
    const locked = times(20, () => own(server))
    t.same(new Set(await statuses(times(20, () => others(server)))), new Set([200]), 'in a group with the locked one')
    t.same(new Set(await statuses(locked)), new Set([503]))
    // From now on nobody waits with it: all of these are answered before it is.
    let isLockedAnswered = false
    const waiting = own(server).then(({ status }) => {
      isLockedAnswered = true
      return status
    })
    for (let count = 0; count < 5; count += 1) t.equal((await others(server)).status, 200)
    t.notOk(isLockedAnswered)
    t.equal(await waiting, 503)
    t.equal((await fetch(`${server.url}/readyz`)).status, 200, 'the others need this instance')
  }

  await release()
  for (const server of servers) {
    t.same(new Set(await statuses(times(20, () => own(server)))), new Set([200]))
    t.same(new Set(await statuses(times(20, () => others(server)))), new Set([200]))
  }
})

for (const charge of ['issue', 'redemption'] as const)
  t.test(`redemptions of a locked customer hold up nobody else, with tokens paid for at ${charge}`, async t => {
    const DATABASE_URL = await postgres.newDatabase()
    const server = await startLicenceServer(t, { accounts: both, settings: { DATABASE_URL } })
    for (const id of [CUSTOMER, 6]) await administratorOf(server).patch(`/accounts/${id}`, { maxRedemptions: 100 })
    const redeem = (customer: number) =>
      server.ask('/hms/ck/rights/', { token: server.seal({ charge }, customer), body: clearKeyBody(KID) })
    const release = await lock(t, DATABASE_URL, CUSTOMER)
    const locked = times(30, () => redeem(CUSTOMER))
    t.same(new Set(await statuses(times(30, () => redeem(6)))), new Set([200]))
    t.same(new Set(await statuses(locked)), new Set([503]))
    await release()
    t.equal((await redeem(CUSTOMER)).status, 200)
  })

t.test(
  'a process that freezes inside a change or a redemption keeps nobody locked for longer than seconds',
  async t => {
    t.testdir()
    const DATABASE_URL = await postgres.newDatabase()
    const TOKEN_KEYS = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'
    const server = await startLicenceServer(t, { settings: { DATABASE_URL, TOKEN_KEYS } })
    const { patch } = administratorOf(server)
    await patch(`/accounts/${CUSTOMER}`, { maxRedemptions: 100 })

    const redeem = (url: string, token: string) =>
      fetch(`${url}/hms/ck/rights/?ExpressPlayToken=${token}`, { method: 'POST', body: clearKeyBody(KID) })
    const expiresAt = Date.UTC(2100, 0) // the process has the machine's clock
    // The text that is on the wire when it freezes: of the event's insert, and the end of a transaction.
    const freezes: Record<string, (url: string) => Promise<Response>> = {
      request_id: url => redeem(url, server.seal({ expiresAt })),
      COMMIT: url => redeem(url, server.seal({ expiresAt, charge: 'redemption' })),
      commit: url => administratorOf({ url }).patch(`/accounts/${CUSTOMER}`, { limits: { tokensPerDay: 1000 } }),
    }
    for (const [text, ask] of Object.entries(freezes)) {
      const wire = await startWire(t, DATABASE_URL)
      const frozen = await startService(t, { DATABASE_URL: wire.url, TOKEN_KEYS, LOG_LEVEL: 'info' })
      const hanging = wire.hangAt(text)
      ask(frozen.url).catch(() => {}) // nobody answers
      await hanging
      frozen.command.child.kill('SIGSTOP')
      await eventually(async () => (await server.get()).status === 200, `a token after a freeze at ${text}`)
      frozen.command.child.kill('SIGKILL')
      await frozen.command.ended
    }
  },
)
