import t, { type Test } from 'tap'
import { administratorOf } from '../administrator.js'
import { onBothEngines } from '../engines.js'
import { errorOf, NOON } from '../harness.js'
import { startKeyedServer, told } from './keyed.js'

onBothEngines(t, 'a key', async (t, database) => {
  const settings = { DATABASE_URL: await database(), TRUSTED_PROXIES: '127.0.0.1' }
  const server = await startKeyedServer(t, { settings })

  t.test('that fifty requests have at once is one token, one event and one from the balance', async t => {
    const { ask, book } = server.customer(11)
    await checkOneToken(t, await Promise.all(Array.from({ length: 50 }, () => ask('order-1'))))
    t.same(await book(), { balance: 2, events: ['token_issued 0'] })
    t.match(server.log.join(), '"msg":"answered"')
    t.notMatch(server.log.join(), 'order-1')
  })

  t.test('belongs to the request that was answered with a token, and to no other', async t => {
    const { ask, book } = server.customer(12)
    const first = await told(await ask('a', { cookie: 'one' }))
    t.match(first, { token: String, isReplayed: false })
    t.same(await told(await ask('a', { cookie: 'one' })), { ...first, isReplayed: true })

    const other = await ask('a', { cookie: 'two' })
    t.equal(other.status, 422)
    t.match(await errorOf(other), { code: 422, parameter: 'Idempotency-Key', requestId: String })
    const twice = { cookie: 'one', kid: ['b366360da82e9c6e0b0984002a362cf2', 'b366360da82e9c6e0b0984002a362cf2'] }
    t.same(await told(await ask('a', twice)), { code: 422 })
    t.same(await told(await ask('a', { cookie: 'one', unknown: '1' })), { code: 422 })
    const inHtml = await ask('a', { cookie: 'two', errorFormat: 'html' })
    t.match(await inHtml.text(), /This Idempotency-Key was used with another request/)
    t.same(await book(), { balance: 2, events: ['token_issued 0'] }, 'nothing has changed')

    t.match(await told(await ask('b', { cookie: 'one' })), { isReplayed: false })
    t.match(await told(await ask('A', { cookie: 'one' })), { isReplayed: false })
    t.same(await told(await ask('c')), { code: -2019 })
    t.same(await told(await ask('a', { cookie: 'one' })), { ...first, isReplayed: true }, 'with no balance left')
  })

  t.test('knows its request in whatever form it comes', async t => {
    const { ask, book, customerAuthenticator } = server.customer(13)
    const json = { accept: 'application/json' }
    const first = await told(await ask('a', { cookie: 'one', playerConfig: 'true' }, json))
    t.match(first, { token: String, isReplayed: false })
    const replayed = { ...first, isReplayed: true }
    // By GET, in another order, and with no form for errors.
    const query = { errorFormat: null, cookie: 'one', customerAuthenticator }
    t.same(await told(await server.get(query, { 'idempotency-key': 'a' })), replayed)
    t.notMatch(await (await ask('a', { cookie: 'one' }, json)).json(), { playerConfig: Object })
    t.match(await (await ask('a', { cookie: 'one', playerConfig: 'true' }, json)).json(), { playerConfig: Object })
    t.same(await told(await ask('a', { cookie: 'one' }, { 'x-forwarded-host': 'another.example' })), replayed)

    const path = '/accounts/13/authenticators'
    const rotated = await administratorOf(server).post(path, { environment: 'test' })
    const { authenticator } = (await rotated.json()) as { authenticator: string } // the documented answer
    t.same(await told(await ask('a', { cookie: 'one', customerAuthenticator: authenticator })), replayed)
    t.same(await book(), { balance: 2, events: ['token_issued 0'] })
  })

  t.test('is free again after a refusal', async t => {
    const { ask, book, setBalance } = server.customer(14)
    await setBalance(0)
    const refused = await Promise.all(Array.from({ length: 8 }, () => ask('a')))
    for (const answer of refused) t.same(await told(answer), { code: -2019 })
    t.same(await told(await ask('a', { kid: 'short' })), { code: -4020 })
    t.same((await book()).events, [...Array(8).fill('token_refused -2019'), 'token_refused -4020'])
    await setBalance(1)
    await checkOneToken(t, await Promise.all(Array.from({ length: 8 }, () => ask('a'))))
    t.equal((await book()).balance, 0)
  })

  t.test('is for one customer in one environment', async t => {
    const [one, other] = [server.customer(15), server.customer(16)]
    const first = await told(await one.ask('a'))
    t.match(first, { isReplayed: false })
    t.match(await told(await other.ask('a')), { isReplayed: false })
    const customerAuthenticator = `15,${'1'.repeat(30)}15`
    const production = { 'x-forwarded-host': 'pr-gen.service.expressplay.com' }
    t.match(await told(await one.ask('a', { customerAuthenticator }, production)), { isReplayed: false })
    t.match(await told(await one.ask('a', { customerAuthenticator }, production)), { isReplayed: true })
    t.same(await told(await one.ask('a')), { ...first, isReplayed: true })

    t.same(await told(await one.ask('a', { customerAuthenticator: `15,${'f'.repeat(32)}` })), { code: -2018 })
    await administratorOf(server).patch('/accounts/15', { enabled: false })
    t.same(await told(await one.ask('a')), { code: -2031 }, 'a customer that may ask for nothing gets nothing')
  })

  // An SQLite file has one.
  if (!settings.DATABASE_URL.startsWith('sqlite:'))
    t.test('is one for all instances on a database', async t => {
      const other = await startKeyedServer(t, { settings })
      const customers = [server.customer(17), other.customer(17)] as const
      const rush = (key: string, requests: number) =>
        Promise.all(Array.from({ length: requests }, (_, index) => customers[index % 2 === 0 ? 0 : 1].ask(key)))
      for (const [round, key] of ['a', 'b', 'c'].entries()) {
        await checkOneToken(t, await rush(key, 40))
        t.same(await customers[0].book(), { balance: 2 - round, events: Array(round + 1).fill('token_issued 0') })
      }
      for (const answer of await rush('d', 12))
        t.same(await told(answer), { code: -2019 }, 'each may try after the other')
    })

  t.test('is remembered for its time, over restarts, and then swept away', async t => {
    const short = { DATABASE_URL: await database(), IDEMPOTENCY_SECONDS: 60 }
    let now = NOON
    const start = (more = {}) => startKeyedServer(t, { settings: { ...short, ...more }, now: () => now })
    const first = await start()
    const token = await told(await first.customer(11).ask('a'))
    await first.customer(12).ask('a')
    await first.close()

    now = NOON + 59_999
    const second = await start()
    const { ask, book } = second.customer(11)
    t.same(await told(await ask('a')), { ...token, isReplayed: true })
    now = NOON + 60_000
    const another = await told(await ask('a', { cookie: 'another' }))
    t.match(another, { token: String, isReplayed: false })
    t.same(await book(), { balance: 1, events: ['token_issued 0', 'token_issued 0'] })
    await second.close()

    const third = await start({ TOKEN_KEYS: 'ab'.repeat(32) })
    // Back in time, when both keys were taken: one was swept since.
    now = NOON
    while ((await told(await third.customer(12).ask('a'))).isReplayed !== false);
    t.equal((await third.customer(12).book()).balance, 1)
    t.match(await told(await third.customer(12).ask('a')), { isReplayed: true }, 'and is taken anew')
    t.same(await told(await third.customer(11).ask('a')), { code: 422 }, 'the other is still there')

    // An answer that can't be read is no reason to issue another token.
    const unreadable = await third.customer(11).ask('a', { cookie: 'another' })
    t.equal(unreadable.status, 409)
    t.match(await errorOf(unreadable), { code: 409, message: /TOKEN_KEYS/ })
    t.equal((await third.customer(11).book()).balance, 1)
  })
})

t.test('with IDEMPOTENCY_SECONDS=0 the header means nothing', async t => {
  const { ask, book } = (await startKeyedServer(t, { settings: { IDEMPOTENCY_SECONDS: 0 } })).customer(11)
  for (const key of ['a', 'a', 'not a key']) t.match(await told(await ask(key)), { isReplayed: false })
  t.equal((await book()).balance, 0)
})

/** All of them carry the same token, and all but one say that it is not new. */
async function checkOneToken(t: Test, answers: readonly Response[]): Promise<void> {
  const all = await Promise.all(answers.map(told))
  t.equal(new Set(all.map(({ token }) => token)).size, 1)
  t.match(all[0]?.token, /^[\w-]{222}$/)
  t.equal(all.filter(({ isReplayed }) => isReplayed === false).length, 1)
}
