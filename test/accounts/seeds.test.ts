import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { shownAccount } from '../../schemas/admin.js'
import { startServer } from '../../src/index.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { form } from '../harness.js'

const mine = '77,0123456789abcdef0123456789abcdef'

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

t.test('a wrong accounts file says where it is wrong and repeats none of it', async t => {
  const dir = t.testdir()
  const wrong: [unknown, RegExp][] = [
    [
      { accounts: [{ id: 77, authenticators: { test: '78,0123456789abcdef0123456789abcdef' } }] },
      /accounts\[0\]\.authenticators\.test must begin with the account's id/s,
    ],
    [{ accounts: [{ id: 77, authenticators: {}, charge: 'late' }] }, /accounts\[0\]\.charge /],
    [{ accounts: [{ id: 77, authenticators: {}, tokenStyle: 2015 }] }, /accounts\[0\]\.tokenStyle /],
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
