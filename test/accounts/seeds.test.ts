import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { shownAccount } from '../../schemas/admin.js'
import { startServer } from '../../src/index.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { form, NOON } from '../harness.js'

const mine = '77,0123456789abcdef0123456789abcdef'
const second = { authenticator: '77,fedcba98765432100123456789abcdef', name: 'storefront' }

t.test('an accounts file replaces the demo account, and its defaults are filled in', async t => {
  const file = join(t.testdir(), 'accounts.json')
  writeFileSync(file, JSON.stringify({ accounts: [{ id: 77, authenticators: { test: mine } }] }))
  const server = await startServer({ settings: { ACCOUNTS_FILE: file } })
  t.teardown(() => server.close())
  t.equal(server.isDemo, false)
  const ask = async (customerAuthenticator: string) =>
    (await fetch(`${server.url}/hms/pr/token?${form({ customerAuthenticator })}`)).status
  t.equal(await ask(mine), 200)
  t.equal(await ask('201722,1ad8eed133edf43cbcc185f0236828ae'), 401)
})

t.test('charge, token style and strict parameters of an accounts file belong to the account', async t => {
  const settings = { charge: 'redemption', tokenStyle: '2015', strictParameters: true } as const
  const file = join(t.testdir(), 'accounts.json')
  writeFileSync(file, JSON.stringify({ accounts: [{ id: 77, authenticators: {}, ...settings }] }))
  const server = await startServer({ settings: { ACCOUNTS_FILE: file } })
  t.teardown(() => server.close())
  t.match(await bodyOf(shownAccount, administratorOf(server).get('/accounts/77')), settings)
})

t.test('an account may have several authenticators, with names and ends', async t => {
  const ends = { authenticator: '77,00112233445566778899aabbccddeeff', validUntil: '2026-06-01T13:00:00Z' }
  let now = NOON
  const server = await startServer({
    accounts: [{ id: 77, authenticators: { test: [mine, second, ends], production: [] } }],
    now: () => now,
  })
  t.teardown(() => server.close())
  const ask = async (customerAuthenticator: string) =>
    (await fetch(`${server.url}/hms/pr/token?${form({ customerAuthenticator })}`)).status
  const asked = () => Promise.all([mine, second.authenticator, ends.authenticator].map(ask))
  t.same(await asked(), [200, 200, 200])
  now += 3_600_000
  t.same(await asked(), [200, 200, 401])
  const { services } = await bodyOf(shownAccount, administratorOf(server).get('/accounts/77'))
  t.equal(services.production.authenticators.length, 0)
  t.equal(services.test.authenticators.length, 3)
  t.match(
    services.test.authenticators.find(({ name }) => name === 'storefront'),
    { validUntil: null },
  )
})

t.test('a wrong accounts file says where it is wrong and repeats none of it', async t => {
  const dir = t.testdir()
  const wrong: [unknown, RegExp][] = [
    [
      { accounts: [{ id: 77, authenticators: { test: '78,0123456789abcdef0123456789abcdef' } }] },
      /accounts\[0\]\.authenticators\.test must begin with the account's id/s,
    ],
    [{ accounts: [{ id: 77, authenticators: {}, charge: 'late' }] }, /accounts\[0\]\.charge /],
    [{ accounts: [{ id: 77, authenticators: {}, tokenStyle: 2015 }] }, /accounts\[0\]\.tokenStyle /],
    [
      { accounts: [{ id: 77, authenticators: { test: [mine, { authenticator: '77,abc', name: 'a' }] } }] },
      /accounts\[0\]\.authenticators\.test\[1\]\.authenticator must be "<id>,/,
    ],
    [
      { accounts: [{ id: 77, authenticators: { test: [{ authenticator: mine, validUntil: 'soon' }] } }] },
      /accounts\[0\]\.authenticators\.test\[0\]\.validUntil must be RFC 3339/,
    ],
    [
      { accounts: [{ id: 77, authenticators: { test: [{ authenticator: mine, until: 'soon' }] } }] },
      /accounts\[0\]\.authenticators\.test\[0\] has unknown fields: until/,
    ],
    [{ accounts: [{ id: 77, authenticators: { test: '77,abc' } }] }, /authenticators\.test must be "<id>,/],
    [{ accounts: [{ id: 77, authenticators: { test: 77 } }] }, /authenticators\.test must be an authenticator, or/],
    [{ accounts: [{ id: 77, authenticators: { test: [mine, mine] } }] }, /test has an authenticator twice/],
    [
      {
        accounts: [{ id: 77, authenticators: { test: [second, { ...second, authenticator: mine }] } }],
      },
      /test has a name twice/,
    ],
    [{ accounts: [{ id: 0, authenticators: {} }] }, /accounts\[0\]\.id/],
    [{ accounts: [{ id: 77, authenticators: {}, balanse: 1 }] }, /accounts\[0\] has unknown fields: balanse/],
    [{ accounts: [{ id: 77, authenticators: { [mine]: 'test' } }] }, /authenticators has unknown fields: …/],
    [{ accounts: [1, 1].map(() => ({ id: 77, authenticators: {} })) }, /same id/],
    [[], /expected object/],
  ]
  for (const [content, expected] of wrong) {
    const file = join(dir, 'accounts.json')
    writeFileSync(file, JSON.stringify(content))
    const failure = startServer({ settings: { ACCOUNTS_FILE: file } }).then(() => 'started', String)
    t.match(await failure, expected)
    t.notMatch(await failure, '0123456789abcdef')
  }
  const file = join(dir, 'broken.json')
  writeFileSync(file, `{"accounts": ["${mine}"`)
  const failure = await startServer({ settings: { ACCOUNTS_FILE: file } }).then(() => 'started', String)
  t.match(failure, 'is not JSON')
  t.notMatch(failure, mine)
  const missing = startServer({ settings: { ACCOUNTS_FILE: join(dir, 'missing.json') } })
  await t.rejects(missing, /ACCOUNTS_FILE must be the path of a file that can be read/)
})

t.test('accounts can be given to the library', async t => {
  const server = await startServer({ accounts: [{ id: 77, authenticators: { test: mine }, balance: 1 }] })
  t.teardown(() => server.close())
  const ask = async () => (await fetch(`${server.url}/hms/pr/token?${form({ customerAuthenticator: mine })}`)).status
  t.same([await ask(), await ask()], [200, 400])
  await t.rejects(startServer({ accounts: [{ id: -1, authenticators: {} }] }), /accounts\[0\]\.id/)
})
