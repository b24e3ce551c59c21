import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../../src/config/config.js'
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

t.test('every DRM has its hosts in each region, unless a URL stands for all', async t => {
  const hostsOf = (settings: Record<string, string>) => {
    const config = readConfig({ MODE: 'gateway', ...settings })
    if (config.MODE !== 'gateway') throw new Error('no gateway')
    const { tokens, licences } = config.upstream
    const texts = (urls: ReadonlyMap<string, URL>) => [...urls].map(([name, { href }]) => `${name} ${href}`)
    return {
      tokens: [...texts(tokens.test), ...texts(tokens.production)],
      licences: [...texts(licences.test), ...texts(licences.production)],
    }
  }
  const names = ['playready pr', 'widevine wv', 'fairplay fp', 'ms3 ms3', 'bb bb']
  for (const [region, domain] of [
    ['europe', 'service.expressplay.com'],
    ['china', 'service.expressplay.cn'],
  ] as const) {
    const urls = (host: (domain: string) => string) =>
      ['test.expressplay.com', domain].flatMap(one =>
        names.map(name => name.replace(/ (.*)/, (_, label: string) => ` https://${label}${host(one)}/`)),
      )
    t.same(hostsOf({ UPSTREAM_REGION: region }), {
      tokens: urls(one => `-gen.${one}`),
      licences: urls(one => `.${one}`).map(url => url.replace(/(?<=\/\/ms3.*)\/$/, ':8443/')),
    })
  }
  const one = { UPSTREAM_TEST_URL: 'http://127.0.0.1:9/a', UPSTREAM_PRODUCTION_LICENCE_URL: 'http://127.0.0.1:9/b' }
  const { tokens, licences } = hostsOf(one)
  const all = ['playready', 'widevine', 'fairplay', 'ms3', 'bb']
  t.same(
    tokens.slice(0, 5),
    all.map(name => `${name} http://127.0.0.1:9/a`),
  )
  t.same(tokens[5], 'playready https://pr-gen.service.expressplay.com/')
  t.same(
    licences,
    ['a', 'b'].flatMap(path => [...all, 'clearkey'].map(name => `${name} http://127.0.0.1:9/${path}`)),
  )
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
