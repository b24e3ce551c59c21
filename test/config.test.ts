import { readFileSync } from 'node:fs'
import t from 'tap'
import { ConfigError, readConfig, settingNames } from '../src/config.js'

t.test('without settings every one has its documented default', async t => {
  t.match(readConfig({}), {
    HOST: '127.0.0.1',
    PORT: 8080,
    MODE: 'emulate',
    ENVIRONMENT: 'test',
    LOG_LEVEL: 'info',
    DATA_DIR: './data',
    DATABASE_URL: 'sqlite:data/expressplay.db',
  })
  t.equal(readConfig({ DATA_DIR: '' }).DATABASE_URL, 'memory:', 'without a folder there is no file')
})

t.test('all faults are told at once, each with its name and what is allowed', async t => {
  const wrong = {
    HOST: '',
    PORT: '65536',
    MODE: 'gateway?',
    ENVIRONMENT: 'staging',
    PUBLIC_URL: 'drm.example.com',
    LOG_LEVEL: 'loud',
    DATABASE_URL: 'mysql://x',
    ADMIN_TOKEN: 'abcdefg',
    AUTHENTICATOR_OVERLAP: '1d',
    TOKEN_KEYS: 'abc',
    BODY_LIMIT: '1k',
    CORS_ORIGINS: 'https://player.example.com/',
    TRUSTED_PROXIES: '10.0.0.0/33',
    SHUTDOWN_TIMEOUT: '-1',
  }
  try {
    readConfig(wrong)
    t.fail('it was accepted')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    t.same(
      error.faults.map(fault => fault.split(' ')[0]),
      Object.keys(wrong),
    )
    t.match(error.message, 'PORT must be a whole number from 0 to 65535')
    t.match(error.message, 'ADMIN_TOKEN must have at least 16 characters')
    t.match(error.message, 'TOKEN_KEYS must be keys of 64 hexadecimal digits')
    t.match(error.message, 'PUBLIC_URL must be an http or https URL')
    t.match(error.message, 'ENVIRONMENT must be one of test, production')
    t.notMatch(error.message, 'abc', 'a value is not repeated: it may be a secret')
  }
})

t.test('a configuration cannot be changed', async t => {
  const config = readConfig({})
  t.throws(() => Object.assign(config, { PORT: 1 }), TypeError)
})

t.test('an empty optional value is no value', async t => {
  const names = ['PUBLIC_URL', 'ACCOUNTS_FILE', 'ADMIN_TOKEN', 'TOKEN_KEYS', 'TRUSTED_PROXIES'] as const
  const config = readConfig(Object.fromEntries(names.map(name => [name, ''])))
  for (const name of names) t.equal(config[name], undefined)
})

t.test('a URL with what no request would be sent with is refused', async t => {
  const names = ['PUBLIC_URL', 'UPSTREAM_TEST_URL', 'UPSTREAM_PRODUCTION_LICENCE_URL'] as const
  for (const name of names) {
    t.doesNotThrow(() => readConfig({ [name]: 'https://x.example/a' }))
    for (const wrong of ['http://u@x', 'http://:pw@x', 'http://u:pw@x', 'http://x/?a', 'http://x/#a', 'ftp://x', 'x'])
      t.throws(
        () => readConfig({ [name]: wrong }),
        { message: new RegExp(`^${name} must be (?:an http or https URL, such as|a URL without user name,)`) },
        wrong,
      )
  }
})

t.test('lists are read with or without spaces', async t => {
  const origins = readConfig({ CORS_ORIGINS: 'https://a.example, http://localhost:9000' }).CORS_ORIGINS
  t.same(origins, ['https://a.example', 'http://localhost:9000'])
  t.equal(readConfig({ CORS_ORIGINS: '*' }).CORS_ORIGINS, '*')
  for (const wrong of ['', 'a.example', 'https://a.example,*', 'null', 'HTTPS://a.example'])
    t.throws(() => readConfig({ CORS_ORIGINS: wrong }), { message: /^CORS_ORIGINS must be \* or origins/ }, wrong)
  const proxies = readConfig({ TRUSTED_PROXIES: '10.0.0.0/8, ::1,2001:db8::/128' }).TRUSTED_PROXIES
  t.same(proxies, ['10.0.0.0/8', '::1', '2001:db8::/128'])
  for (const wrong of ['localhost', '10.0.0.0/', '10.0.0.0/8/8', '::1/129', '10.0.0.1,'])
    t.throws(() => readConfig({ TRUSTED_PROXIES: wrong }), { message: /^TRUSTED_PROXIES must be addresses/ }, wrong)
})

t.test('a setting that does nothing without another one is a fault', async t => {
  const file = 'package.json'
  for (const [settings, ...faults] of [
    [{ ENTITLEMENT_CLIENTS: 'CN=player' }, 'ENTITLEMENT_CLIENTS has no use without ENTITLEMENT_PORT'],
    [{ CATALOGUE_FILE: file }, 'CATALOGUE_FILE has no use without ENTITLEMENT_PORT'],
    [
      { ENTITLEMENT_WEBHOOK_SECRET: 'sixteen-characters', ENTITLEMENT_WEBHOOK_CA: file },
      'ENTITLEMENT_WEBHOOK_SECRET has no use without ENTITLEMENT_WEBHOOK_URL',
      'ENTITLEMENT_WEBHOOK_CA has no use without ENTITLEMENT_WEBHOOK_URL',
    ],
    [{ ENTITLEMENT_URL_CA: file }, 'ENTITLEMENT_URL_CA has no use without ENTITLEMENT_URL'],
    [
      { ENTITLEMENT_PORT: 0, ENTITLEMENT_CLIENT_CA: file, ENTITLEMENT_PROXIES: '10.0.0.1,0.0.0.0/0' },
      'ENTITLEMENT_PROXIES must name the proxies: a network of all addresses lets everybody in',
    ],
    [
      { ENTITLEMENT_PORT: 0, ENTITLEMENT_CLIENT_CA: file, ENTITLEMENT_PROXIES: '::/0' },
      'ENTITLEMENT_PROXIES must name the proxies: a network of all addresses lets everybody in',
    ],
  ] as const)
    t.throws(() => readConfig(settings), { message: faults.join('\n') }, JSON.stringify(settings))
})

t.test('.env.example names every setting with its default', async t => {
  const lines = readFileSync('.env.example', 'utf8').split('\n')
  const example = Object.fromEntries(
    lines.flatMap(line => (/^[A-Z_]+=/.test(line) ? [line.split(/=(.*)/s).slice(0, 2)] : [])),
  )
  t.same(Object.keys(example).sort(), [...settingNames].sort())
  t.same(readConfig(example), readConfig({}))
})
