import { join } from 'node:path'
import pg from 'pg'
import { pino } from 'pino'
import t from 'tap'
import type { RecordsAnswer } from '../../schemas/records.js'
import { AbandonedTokens } from '../../src/ledger/abandoned-tokens.js'
import { openStore } from '../../src/store/store.js'
import { appWith } from '../app.js'
import { form } from '../harness.js'
import { startService, stop } from '../ledger/service.js'
import { startPostgres } from '../postgres.js'
import { account, LOCAL, startGateway } from '../upstream/gateway.js'
import { type Arrival, answerOf, hangs, issues, resets, says, startHostile } from '../upstream/hostile.js'
import { told } from './keyed.js'

const refusal = answerOf(JSON.stringify({ code: -2019, message: 'Insufficient tokens available' }), {
  status: '400 Bad',
})
const request = { customerAuthenticator: LOCAL.test, cookie: 'viewer' }
const withKey = { 'idempotency-key': 'a' }

t.test('the upstream is asked once for a key, unless it certainly issued nothing', async t => {
  const upstream = await startHostile(t, says(refusal))
  const gateway = await startGateway(t, upstream.url)
  const ask = () => gateway.post(request, withKey)
  const events = async () => (await gateway.eventsOf('viewer')).map(({ event }) => event)

  t.same(await told(await ask()), { code: -2019 })
  t.same(await told(await ask()), { code: -2019 })
  t.equal(upstream.arrivals.length, 2, 'a refusal may be asked for again')

  const arrival = nextArrival(upstream)
  const answers = Promise.all(Array.from({ length: 20 }, ask))
  const held = await arrival
  // By the time that another request has its answer the others have arrived here, too.
  await gateway.post({ ...request, cookie: 'other', kid: 'short' })
  issues(held)
  const tokens = await Promise.all((await answers).map(told))
  t.equal(new Set(tokens.map(({ token }) => token)).size, 1)
  t.match(tokens[0]?.token, /^AQAAAAM7/)
  t.equal(upstream.arrivals.length, 3)
  t.equal(await gateway.paid(), 1)
  t.same(await events(), ['token_issued', 'token_refused', 'token_refused'])
})

t.test('what the upstream may have issued is never asked for again', async t => {
  const upstream = await startHostile(t, hangs)
  const gateway = await startGateway(t, upstream.url, { UPSTREAM_TIMEOUT: 600 })
  const ask = () => gateway.post(request, withKey)
  t.same(
    (await Promise.all([ask(), ask(), ask()])).map(({ status }) => status),
    [504, 504, 504],
  )
  upstream.behave = issues
  const again = await ask()
  t.equal(again.status, 504)
  t.match(await again.json(), { code: -2030, message: /use a new key/, parameter: 'Idempotency-Key' })
  t.equal(upstream.arrivals.length, 1)
  t.match(await told(await gateway.post(request, { 'idempotency-key': 'b' })), { isReplayed: false })
  t.equal(await gateway.paid(), 2)
  t.same(
    (await gateway.eventsOf('viewer')).map(({ event }) => event),
    ['token_issued', 'token_unknown'],
  )
})

t.test('while the upstream is left alone no key is taken, and what a key was answered with is still given', async t => {
  const database = await (await startPostgres(t)).newDatabase()
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url, { DATABASE_URL: database })
  const ask = (key: string, change = {}) => gateway.post({ ...request, ...change }, { 'idempotency-key': key })
  const { token } = await told(await ask('before'))
  upstream.behave = resets
  for (let asked = 0; asked < 30; asked++) await gateway.post(request)
  const { length } = upstream.arrivals

  const client = new pg.Client({ connectionString: database })
  await client.connect()
  await client.query("create function no() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$")
  await client.query('create trigger no before insert on idempotency_keys execute function no()')
  await client.end()
  const refused = await ask('new')
  t.equal(refused.status, 503)
  t.ok(refused.headers.has('retry-after'))
  t.match(await refused.json(), { code: -2030, message: /the upstream fails, and is left alone for a while$/ })
  t.same(await told(await ask('new', { kid: 'short' })), { code: -4020 }, 'its own faults come first')
  t.same(await told(await ask('before')), { token, isReplayed: true })
  t.equal(upstream.arrivals.length, length)
})

t.test('a request waits ten seconds for another one with its key, and not longer', async t => {
  let milliseconds = 0
  const upstream = await startHostile(t, hangs)
  const gateway = await startGateway(t, upstream.url, { UPSTREAM_TIMEOUT: 1500 }, undefined, () => milliseconds)
  const arrival = nextArrival(upstream)
  const first = gateway.post(request, withKey)
  await arrival
  const second = gateway.post(request, withKey)
  // By the time that another request has its answer this one has arrived here, too.
  await gateway.post({ ...request, cookie: 'other', kid: 'short' })
  milliseconds = 10_000
  const refused = await second
  t.equal(refused.status, 409)
  t.ok(refused.headers.get('retry-after'))
  t.equal((await first).status, 504)
})

t.test('instances whose clocks are far apart neither ask twice nor give each other up', async t => {
  const HALF_AN_HOUR = 30 * 60_000
  const database = await (await startPostgres(t)).newDatabase()
  const upstream = await startHostile(t, hangs)
  for (const apart of [-HALF_AN_HOUR, HALF_AN_HOUR]) {
    const key = { 'idempotency-key': `apart${apart}` }
    const instance = async (now: () => number, uptime?: () => number) => {
      const store = await openStore(database)
      t.teardown(() => store.close())
      const settings = { IDEMPOTENCY_SECONDS: 1 }
      return {
        store,
        ...(await appWith(t, {
          ...{ upstream: upstream.url, accounts: [account], store, now, isMachineClock: true, settings },
          ...(uptime && { uptime }),
        })),
      }
    }
    const { length } = upstream.arrivals
    const wrong = await instance(() => Date.now() + apart)
    const arrival = nextArrival(upstream)
    const asking = wrong.ask(request, key)
    const held = await arrival

    let patience = 0
    const right = await instance(Date.now, () => {
      patience += 4000
      return patience
    })
    t.match(await right.ask(request, key), { statusCode: 409 }, 'the other one is at it')
    const { sharedNow, ledger } = right.services
    const abandoned = new AbandonedTokens({ ...right.store, ledger, now: sharedNow, logger: pino({ level: 'silent' }) })
    t.equal(await abandoned.settle(500), 0)
    says(refusal)(held)
    t.match((await asking).json(), { code: -2019 })
    t.equal(upstream.arrivals.length, length + 1, 'the upstream was asked once')
    const known = await right.store.accounts.find(account.id)
    t.equal(known?.services.test.balance, account.balance, 'and what it refused is given back')
  }
})

t.test('a shutdown leaves no key to a request that nobody was asked for', async t => {
  t.testdir()
  const upstream = await startHostile(t, hangs)
  const database = { DATABASE_URL: `sqlite:${join(t.testdirName, 'gateway.db')}` }
  const gateway = await startGateway(t, upstream.url, database)
  const leaving = new AbortController()
  const arrival = nextArrival(upstream)
  const left = Array.from({ length: 8 }, () =>
    fetch(`${gateway.url}/hms/pr/token`, {
      method: 'POST',
      body: form(request),
      headers: withKey,
      signal: leaving.signal,
    }).catch(() => 'left'),
  )
  const held = await arrival
  await gateway.post({ ...request, cookie: 'other', kid: 'short' })
  leaving.abort()
  await Promise.all(left)
  upstream.behave = says(refusal)
  const closed = gateway.close()
  says(refusal)(held)
  await closed

  const again = await startGateway(t, upstream.url, database)
  t.same(await told(await again.post(request, withKey)), { code: -2019 }, 'the key is free')
  for (const { event } of await again.eventsOf('viewer')) t.equal(event, 'token_refused')
})

t.test('a gateway that is killed while it asks does not ask again', async t => {
  let arrived = () => {}
  const arrival = new Promise<void>(resolve => {
    arrived = resolve
  })
  const upstream = await startHostile(t, () => arrived())
  t.testdir({ 'accounts.json': JSON.stringify({ accounts: [account] }) })
  const settings = {
    MODE: 'gateway',
    ACCOUNTS_FILE: 'accounts.json',
    DATABASE_URL: 'sqlite:gateway.db',
    UPSTREAM_TEST_URL: upstream.url,
  }
  const ask = (url: string) => fetch(`${url}/hms/pr/token`, { method: 'POST', body: form(request), headers: withKey })
  const first = await startService(t, settings)
  const lost = ask(first.url).catch(() => 'no answer')
  await arrival
  await stop(first, 'SIGKILL')
  t.equal(await lost, 'no answer')

  const second = await startService(t, settings)
  upstream.behave = issues
  const again = await ask(second.url)
  t.equal(again.status, 502)
  t.match(await again.json(), { code: -2030, message: /use a new key/ })
  t.equal(upstream.arrivals.length, 1)

  const query = new URLSearchParams({ customerAuthenticator: LOCAL.test })
  const log = async () => {
    const answer = await fetch(`${second.url}/cmiapi/getrecord/?${query}`)
    return ((await answer.json()) as RecordsAnswer).events.map(({ event }) => event) // as documented
  }
  while ((await log()).length === 0);
  t.same(await log(), ['token_unknown'])
  await stop(second, 'SIGTERM')
})

/** The next request that reaches the upstream, which is held there. */
function nextArrival(upstream: Awaited<ReturnType<typeof startHostile>>): Promise<Arrival> {
  return new Promise(resolve => {
    upstream.behave = resolve
  })
}
