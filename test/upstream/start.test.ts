import { join } from 'node:path'
import t from 'tap'
import { ConfigError, demoAccount, startServer } from '../../src/index.js'
import { account } from './gateway.js'

const UPSTREAM_TEST_URL = 'http://127.0.0.1:9'
const settings = { MODE: 'gateway', UPSTREAM_TEST_URL }

t.test('a gateway knows for whom it may ask, or does not start', async t => {
  await t.rejects(startServer({ settings }), new ConfigError(['ACCOUNTS_FILE must be given with MODE=gateway']))
  const { upstream, ...without } = account
  await t.rejects(startServer({ settings, accounts: [without] }), {
    message: /account 9 needs upstream\.test, .*\n.*account 9 needs upstream\.production/,
  })
})

t.test('a database in which the public demo account is open is none for a gateway', async t => {
  t.testdir()
  const database = { DATABASE_URL: `sqlite:${join(t.testdirName, 'used.db')}` }
  await (await startServer({ settings: database })).close()
  const gateway = { settings: { ...settings, ...database }, accounts: [account] }
  await t.rejects(startServer(gateway), { message: /the public demo account is open in this database/ })

  const emulator = await startServer({ settings: database })
  const disabled = await fetch(`${emulator.url}/admin/api/accounts/${demoAccount.id}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: '{"enabled":false}',
  })
  t.equal(disabled.status, 200)
  await emulator.close()
  await (await startServer(gateway)).close()
})
