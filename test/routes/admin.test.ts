import t, { type Test } from 'tap'
import {
  accountPage,
  addedAuthenticator,
  createdAccount,
  rotatedAuthenticator,
  shownAccount,
  shownBalance,
} from '../../schemas/admin.js'
import { sampleParameters } from '../../src/sample.js'
import { type Administrator, administratorOf, bodyOf } from '../administrator.js'
import { errorOf, NOON, startTestServer, type TestServer } from '../harness.js'
import { startPostgres } from '../postgres.js'

const HOUR = 3_600_000
/** How long an instance goes by what it knows of an account. */
const FRESH_MS = 500
const CUSTOMER = 201722
const mine = '77,0123456789abcdef0123456789abcdef'

interface World {
  readonly server: TestServer
  readonly admin: Administrator
  readonly clock: { now: number }
  /** The status and the code with which a token request with this authenticator ends. */
  tokenWith(customerAuthenticator: string): Promise<number>
}

const postgres = await startPostgres(t)
const engines: Record<string, () => Promise<string>> = {
  SQLite: async () => 'memory:',
  PostgreSQL: () => postgres.newDatabase(),
}

/** A test on each engine, with a server and a clock of its own. */
function onEach(title: string, test: (t: Test, world: World) => Promise<void>): void {
  for (const [engine, newDatabase] of Object.entries(engines))
    void t.test(`${title}, ${engine}`, async t => {
      const clock = { now: NOON }
      const settings = { DATABASE_URL: await newDatabase() }
      const server = await startTestServer(t, { settings, now: () => clock.now })
      await test(t, { server, admin: administratorOf(server), clock, tokenWith: tokensOf(server) })
    })
}

function tokensOf(server: TestServer) {
  return async (customerAuthenticator: string) => {
    const answer = await server.get({ customerAuthenticator })
    return answer.ok ? 200 : (await errorOf(answer)).code
  }
}

onEach('an account is created, with what is not given made', async (t, { server, admin, tokenWith }) => {
  const answer = await admin.post('/accounts', { id: 77, name: 'Kino Å', balance: 5 })
  t.equal(answer.status, 201)
  t.equal(answer.headers.get('location'), '/admin/api/accounts/77')
  t.equal(answer.headers.get('content-type'), 'application/json')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  const { authenticators, ...account } = await bodyOf(createdAccount, answer)
  const name = /^unnamed-[0-9a-f]{12}$/
  const service = { balance: 5, authenticators: [{ name, createdAt: '2026-06-01T12:00:00.000Z', validUntil: null }] }
  t.match(account, {
    id: 77,
    name: 'Kino Å',
    enabled: true,
    drm: { playready: true, widevine: true, fairplay: true, marlin: true, fairplayDeviceBinding: true },
    maxRedemptions: null,
    limits: { requestsPerMinute: null, tokensPerDay: null },
    charge: 'issue',
    tokenStyle: null,
    strictParameters: null,
    services: { test: service, production: service },
  })
  t.match(authenticators, { test: /^77,[0-9a-f]{32}$/, production: /^77,[0-9a-f]{32}$/ })
  for (const authenticator of Object.values(authenticators)) server.keepSecret(authenticator.slice(3))
  t.not(authenticators.test, authenticators.production)
  t.equal(await tokenWith(authenticators.test), 200)
  t.equal(await tokenWith(authenticators.production), -2018, 'each belongs to its environment')

  const shown = await bodyOf(shownAccount, admin.get('/accounts/77'))
  t.match(shown, { services: { test: { balance: 4 }, production: { balance: 5 } } })
  const list = await (await admin.get('/accounts')).text()
  for (const authenticator of Object.values(authenticators))
    t.notMatch(JSON.stringify(shown) + list, authenticator.slice(3), 'an authenticator is told once')
})

onEach('ids and authenticators can be given', async (t, { admin, tokenWith }) => {
  const account = { id: 77, authenticators: { test: mine }, enabled: false, drm: { playready: false } }
  const created = await bodyOf(createdAccount, admin.post('/accounts', account))
  t.match(created, { authenticators: { test: mine }, enabled: false, drm: { playready: false } })
  t.equal(await tokenWith(mine), -2031)
  const again = await admin.post('/accounts', { id: 77, name: 'another' })
  t.equal(again.status, 409)
  t.match(await errorOf(again), { code: 409, parameter: 'id', requestId: String })
  t.match(await bodyOf(shownAccount, admin.get('/accounts/77')), { name: '' }, 'nothing is changed')

  const together = Array.from({ length: 8 }, () => bodyOf(createdAccount, admin.post('/accounts', {})))
  const ids = (await Promise.all(together)).map(({ id }) => id).sort((one, other) => one - other)
  t.same(ids, [201723, 201724, 201725, 201726, 201727, 201728, 201729, 201730], 'each gets a free one')
  await admin.post('/accounts', { id: 0xffffffff })
  t.match(await bodyOf(createdAccount, admin.post('/accounts', {})), { id: 201731 }, 'also when the last is taken')
})

onEach(
  'charge, token style and strict parameters are set when it is created and changed one by one',
  async (t, { admin }) => {
    const settings = { charge: 'redemption', tokenStyle: '2015', strictParameters: true } as const
    t.match(await bodyOf(createdAccount, admin.post('/accounts', { id: 77, ...settings })), settings)
    const changes = [
      [{ charge: 'issue' }, { ...settings, charge: 'issue' }],
      [{ tokenStyle: null }, { charge: 'issue', tokenStyle: null, strictParameters: true }],
      [{ strictParameters: false }, { charge: 'issue', tokenStyle: null, strictParameters: false }],
      [
        { strictParameters: null, tokenStyle: '2021' },
        { charge: 'issue', tokenStyle: '2021', strictParameters: null },
      ],
      [settings, settings],
    ] as const
    for (const [change, expected] of changes) {
      t.match(await bodyOf(shownAccount, admin.patch('/accounts/77', change)), expected)
      t.match(await bodyOf(shownAccount, admin.get('/accounts/77')), expected)
    }
  },
)

onEach('accounts are listed in pages', async (t, { admin }) => {
  const all = await bodyOf(accountPage, admin.get('/accounts'))
  t.same([all.accounts.map(({ id }) => id), all.next], [[2, 3, 4, 5, 6, 8, 9, CUSTOMER], null])
  const first = await bodyOf(accountPage, admin.get('/accounts?limit=2'))
  t.same([first.accounts.map(({ id }) => id), first.next], [[2, 3], 3])
  const last = await bodyOf(accountPage, admin.get('/accounts?after=6&limit=3'))
  t.same([last.accounts.map(({ id }) => id), last.next], [[8, 9, CUSTOMER], null], 'a full page may be the last')
  t.same(await bodyOf(accountPage, admin.get('/accounts?after=4294967295')), { accounts: [], next: null })
  t.match(all.accounts[0], { enabled: false, services: { production: { authenticators: [] } } })
})

onEach('a change counts from the next request on', async (t, { admin, tokenWith }) => {
  const ask = () => tokenWith(sampleParameters.customerAuthenticator)
  t.equal(await ask(), 200)
  const disabled = await bodyOf(shownAccount, admin.patch(`/accounts/${CUSTOMER}`, { enabled: false }))
  t.match(disabled, { id: CUSTOMER, enabled: false, drm: { playready: true } })
  t.equal(await ask(), -2031)
  await admin.patch(`/accounts/${CUSTOMER}`, { enabled: true, drm: { playready: false } })
  t.equal(await ask(), -5002)
  const limited = await bodyOf(shownAccount, admin.patch(`/accounts/${CUSTOMER}`, { maxRedemptions: 3 }))
  t.match(limited, { maxRedemptions: 3, enabled: true })
  t.match(await bodyOf(shownAccount, admin.patch(`/accounts/${CUSTOMER}`, { name: '' })), { maxRedemptions: 3 })
  t.match(await bodyOf(shownAccount, admin.patch(`/accounts/${CUSTOMER}`, { maxRedemptions: null })), {
    maxRedemptions: null,
  })
  const renamed = await admin.patch(`/accounts/${CUSTOMER}`, { name: 'renamed', drm: { playready: true } })
  t.match(await bodyOf(shownAccount, renamed), { name: 'renamed', enabled: true, drm: { playready: true } })
  t.equal(await ask(), 200)
})

onEach('a balance goes up and down within its bounds', async (t, { admin, tokenWith }) => {
  const poor = '4,00000000000000000000000000000004'
  const change = (change: object) => admin.post('/accounts/4/balance', { environment: 'test', ...change })
  t.equal(await tokenWith(poor), -2019)
  t.same(await bodyOf(shownBalance, change({ add: 2 })), { id: 4, environment: 'test', balance: 2 })
  t.same([await tokenWith(poor), await tokenWith(poor), await tokenWith(poor)], [200, 200, -2019])

  t.match(await bodyOf(shownBalance, change({ set: 10 })), { balance: 10 })
  t.match(await bodyOf(shownBalance, change({ add: -10 })), { balance: 0 })
  t.match(await bodyOf(shownBalance, change({ add: Number.MAX_SAFE_INTEGER })), { balance: Number.MAX_SAFE_INTEGER })
  t.match(await bodyOf(shownBalance, change({ add: -1 })), { balance: Number.MAX_SAFE_INTEGER - 1 })
  for (const [set, add] of [
    [0, -1],
    [5, -6],
    [5, -Number.MAX_SAFE_INTEGER],
    [Number.MAX_SAFE_INTEGER, 1],
    [1, Number.MAX_SAFE_INTEGER],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ] as const) {
    await change({ set })
    const refused = await change({ add })
    t.match(await errorOf(refused), { code: 400, parameter: 'add' }, `${set} and ${add}`)
    const { services } = await bodyOf(shownAccount, admin.get('/accounts/4'))
    t.equal(services.test.balance, set, 'nothing is changed')
    t.equal(services.production.balance, 0, 'nor in the other environment')
  }
})

onEach('additions and tokens at the same time make an exact sum', async (t, { admin, tokenWith }) => {
  const [before, additions, tokens] = [1000, 60, 200]
  await admin.post(`/accounts/${CUSTOMER}/balance`, { environment: 'test', set: before })
  const ended = await Promise.all([
    ...Array.from({ length: tokens }, () => tokenWith(sampleParameters.customerAuthenticator)),
    ...Array.from({ length: additions }, async (_, index) => {
      const change = { environment: 'test', add: index % 2 === 0 ? 100 : -50 }
      return (await admin.post(`/accounts/${CUSTOMER}/balance`, change)).status
    }),
  ])
  t.ok(ended.every(status => status === 200))
  const { services } = await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`))
  t.equal(services.test.balance, before + (additions / 2) * (100 - 50) - tokens)
})

onEach('a replaced authenticator is valid for a while', async (t, { server, admin, clock, tokenWith }) => {
  const first = sampleParameters.customerAuthenticator
  const rotate = async (order: object = {}) => {
    const asked = admin.post(`/accounts/${CUSTOMER}/authenticators`, { environment: 'test', ...order })
    const rotated = await bodyOf(rotatedAuthenticator, asked)
    server.keepSecret(rotated.authenticator.slice(7))
    return rotated
  }

  const second = await rotate({ validForSeconds: 3600 })
  t.match(second, { id: CUSTOMER, environment: 'test', authenticator: /^201722,[0-9a-f]{32}$/ })
  t.equal(second.othersValidUntil, '2026-06-01T13:00:00.000Z')
  t.same([await tokenWith(first), await tokenWith(second.authenticator)], [200, 200])
  clock.now = NOON + HOUR - 1
  t.equal(await tokenWith(first), 200)

  const third = await rotate()
  t.equal(third.othersValidUntil, '2026-06-02T12:59:59.999Z', 'a day, as the setting has it')
  const valid = (await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`))).services.test.authenticators
  t.same(
    valid.map(({ validUntil }) => validUntil),
    [null, '2026-06-02T12:59:59.999Z', '2026-06-01T13:00:00.000Z'],
    'the newest first; what ends earlier is not prolonged',
  )
  clock.now = NOON + HOUR
  t.same([await tokenWith(first), await tokenWith(second.authenticator)], [-2018, 200])

  const fourth = await rotate({ authenticator: '201722,ABCDEF0123456789abcdef0123456789', validForSeconds: 0 })
  t.equal(fourth.authenticator, '201722,ABCDEF0123456789abcdef0123456789')
  t.same(
    [
      await tokenWith(second.authenticator),
      await tokenWith(third.authenticator),
      await tokenWith(fourth.authenticator),
    ],
    [-2018, -2018, 200],
    'at once',
  )
  const { services } = await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`))
  t.equal(services.test.authenticators.length, 3, 'the first, which had expired before, is gone')
  t.equal(services.production.authenticators.length, 1, 'the other environment is not touched')

  const again = { environment: 'test', authenticator: fourth.authenticator }
  t.match(await errorOf(await admin.post(`/accounts/${CUSTOMER}/authenticators`, again)), { code: 409 })
  t.equal(await tokenWith(fourth.authenticator), 200)
})

onEach(
  'several authenticators are valid at once, each with a name and an end',
  async (t, { server, admin, clock, tokenWith }) => {
    const path = `/accounts/${CUSTOMER}/authenticators/test`
    const add = async (addition: object) => {
      const added = await bodyOf(addedAuthenticator, admin.post(path, addition))
      server.keepSecret(added.authenticator.slice(7))
      return added
    }
    const namesIn = async (environment: 'test' | 'production') => {
      const { services } = await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`))
      return services[environment].authenticators.map(({ name }) => name)
    }
    const first = sampleParameters.customerAuthenticator
    const [unnamed = ''] = await namesIn('test')
    t.match(unnamed, /^unnamed-[0-9a-f]{12}$/)

    const answer = await admin.post(path, { name: 'The app 2' })
    t.equal(answer.status, 201)
    t.equal(answer.headers.get('location'), `/admin/api${path}/The%20app%202`)
    const app = await bodyOf(addedAuthenticator, answer)
    server.keepSecret(app.authenticator.slice(7))
    t.match(app, { id: CUSTOMER, environment: 'test', name: 'The app 2', validUntil: null })
    t.match(app.authenticator, /^201722,[0-9a-f]{32}$/)
    clock.now = NOON + 1
    const contractor = await add({ name: 'contractor', validUntil: '2026-06-01T13:00:00Z' })
    t.equal(contractor.validUntil, '2026-06-01T13:00:00.000Z')
    const given = await add({ name: 'own', authenticator: '201722,ABCDEF0123456789abcdef0123456789', validUntil: null })
    t.equal(given.authenticator, '201722,ABCDEF0123456789abcdef0123456789')
    const codes = () => Promise.all([first, ...[app, contractor, given].map(one => one.authenticator)].map(tokenWith))
    t.same(await codes(), [200, 200, 200, 200])
    t.same(new Set(await namesIn('test')), new Set([unnamed, 'The app 2', 'contractor', 'own']))
    t.equal((await namesIn('production')).length, 1, 'the other environment is not touched')
    const production = await admin.post(`/accounts/${CUSTOMER}/authenticators/production`, { name: 'own' })
    t.equal(production.status, 201, 'where the name is free')

    const taken = await admin.post(path, { name: 'contractor' })
    t.equal(taken.status, 409)
    t.match(await errorOf(taken), { code: 409, parameter: 'name' })
    const again = await admin.post(path, { name: 'another', authenticator: given.authenticator })
    t.match(await errorOf(again), { code: 409, parameter: 'authenticator' })
    clock.now = NOON + HOUR
    t.same(await codes(), [200, 200, -2018, 200])
    const late = await admin.post(path, { name: 'late', validUntil: '2026-06-01T13:00:00Z' })
    t.match(await errorOf(late), { code: 400, parameter: 'validUntil' })
    await add({ name: 'contractor' })
    t.equal((await namesIn('test')).filter(name => name === 'contractor').length, 1, 'the one that has ended is gone')

    const rotation = admin.post(`/accounts/${CUSTOMER}/authenticators`, { environment: 'test', validForSeconds: 0 })
    const { authenticator: rotated } = await bodyOf(rotatedAuthenticator, rotation)
    server.keepSecret(rotated.slice(7))
    t.same(await codes(), [-2018, 200, -2018, 200], 'a rotation replaces those without a name')
    t.equal(await tokenWith(rotated), 200)

    const remove = (name: string) => admin.ask('DELETE', `${path}/${encodeURIComponent(name)}`)
    t.equal((await remove('The app 2')).status, 204)
    t.same(await codes(), [-2018, -2018, -2018, 200])
    t.match(await errorOf(await remove('The app 2')), { code: 404, parameter: 'name' })
    const unnamedNow = (await namesIn('test')).filter(name => name.startsWith('unnamed-') && name !== unnamed)
    t.equal(unnamedNow.length, 1)
    t.equal((await remove(unnamedNow[0] ?? '')).status, 204)
    t.same([await tokenWith(rotated), await tokenWith(given.authenticator)], [-2018, 200])
  },
)

onEach('of several who add a name at the same time one does', async (t, { admin }) => {
  const path = `/accounts/${CUSTOMER}/authenticators/test`
  const answers = await Promise.all(Array.from({ length: 8 }, () => admin.post(path, { name: 'storefront' })))
  t.same(answers.map(({ status }) => status).sort(), [201, 409, 409, 409, 409, 409, 409, 409])
})

onEach('rotations at the same time leave one authenticator without an end', async (t, { admin }) => {
  const order = { environment: 'production', validForSeconds: 60 }
  await Promise.all(Array.from({ length: 6 }, () => admin.post(`/accounts/${CUSTOMER}/authenticators`, order)))
  const { authenticators } = (await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`))).services.production
  t.equal(authenticators.length, 7)
  t.equal(authenticators.filter(({ validUntil }) => validUntil === null).length, 1)
})

onEach('an account that does not exist is 404', async (t, { admin }) => {
  for (const answer of [
    await admin.get('/accounts/99'),
    await admin.patch('/accounts/99', { enabled: true }),
    await admin.post('/accounts/99/balance', { environment: 'test', add: 1 }),
    await admin.post('/accounts/99/authenticators', { environment: 'test' }),
    await admin.post('/accounts/99/authenticators/test', { name: 'storefront' }),
    await admin.ask('DELETE', '/accounts/99/authenticators/test/storefront'),
  ]) {
    t.equal(answer.headers.get('content-type'), 'application/json')
    t.match(await errorOf(answer), { code: 404, parameter: 'id', requestId: answer.headers.get('x-request-id') })
  }
})

t.test('what one instance changes, another knows half a second later', async t => {
  const settings = { DATABASE_URL: await postgres.newDatabase() }
  const one = await startTestServer(t, { settings })
  let uptime = 0
  const other = await startTestServer(t, { settings, uptime: () => uptime })
  const [admin, tokenOfOther] = [administratorOf(one), tokensOf(other)]
  const authenticator = sampleParameters.customerAuthenticator
  t.equal(await tokenOfOther(authenticator), 200)

  async function knownLater(t: Test, expected: number, of: string) {
    uptime += FRESH_MS + 1
    t.equal(await tokenOfOther(of), expected)
  }
  await admin.patch(`/accounts/${CUSTOMER}`, { enabled: false })
  uptime += FRESH_MS - 1
  t.equal(await tokenOfOther(authenticator), 200, 'not before: it does not ask for every request')
  await knownLater(t, -2031, authenticator)
  await admin.patch(`/accounts/${CUSTOMER}`, { enabled: true })
  await knownLater(t, 200, authenticator)
  const order = { environment: 'test', validForSeconds: 0 }
  const rotated = admin.post(`/accounts/${CUSTOMER}/authenticators`, order)
  const { authenticator: next } = await bodyOf(rotatedAuthenticator, rotated)
  await knownLater(t, -2018, authenticator)
  await knownLater(t, 200, next)
  const path = `/accounts/${CUSTOMER}/authenticators/test`
  const added = await bodyOf(addedAuthenticator, admin.post(path, { name: 'storefront' }))
  await knownLater(t, 200, added.authenticator)
  await admin.ask('DELETE', `${path}/storefront`)
  await knownLater(t, -2018, added.authenticator)
  const { authenticators } = await bodyOf(createdAccount, admin.post('/accounts', {}))
  await knownLater(t, 200, authenticators.test)
  await admin.post(`/accounts/${CUSTOMER}/balance`, { environment: 'test', set: 0 })
  t.equal(await tokenOfOther(next), -2019, 'a balance at once')
})
