import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../src/config/config.js'
import { settingMeta } from '../src/config/setting.js'
import { type SettingName, settingNames, settings } from '../src/config/setting-groups.js'
import { ConfigError } from '../src/errors/config-error.js'
import { type ServerOptions, startServer } from '../src/index.js'
import { runCommand, startCommand } from './process.js'

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
    ENTITLEMENT_ACCOUNT: '4294967296',
    ENTITLEMENT_WEBHOOK_URL: 'http://shop.example.com',
  }
  try {
    readConfig(wrong)
    t.fail('it was accepted')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    t.same(error.faults.map(fault => fault.split(' ')[0]).sort(), Object.keys(wrong).sort())
    t.match(error.message, 'PORT must be a whole number from 0 to 65535')
    t.match(error.message, 'ADMIN_TOKEN must have at least 16 characters')
    t.match(error.message, 'TOKEN_KEYS must be keys of 64 hexadecimal digits')
    t.match(error.message, 'PUBLIC_URL must be an http or https URL')
    t.match(error.message, 'ENVIRONMENT must be one of test, production')
    t.match(error.message, 'ENTITLEMENT_WEBHOOK_URL must be an https URL')
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

t.test('every setting has an example that it accepts, and every secret a setting for its file', async t => {
  const before = process.cwd()
  process.chdir(t.testdir({ ...files('accounts.json', 'catalogue.json', 'shop-ca.pem'), certs: files(...CERTS) }))
  t.teardown(() => process.chdir(before))
  for (const name of settingNames) {
    const schema = settings.shape[name]
    const { description, example, isSecret } = settingMeta.get(schema) ?? {}
    t.match(description, /^[A-Z`[].*\.$/, `${name} is described in sentences`)
    t.match(schema.safeParse(example), { success: true }, `${name}=${example}`)
    const ofFile = settings.shape[`${name}_FILE` as SettingName]
    t.equal(ofFile && settingMeta.get(ofFile)?.fileOf, isSecret && name, name)
  }
})

const CERTS = ['ca.pem', 'server.pem', 'server.key.pem', 'client.pem', 'client.key.pem']

function files(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map(name => [name, '']))
}

const SECRETS = ['DATABASE_URL', 'ADMIN_TOKEN', 'TOKEN_KEYS', 'ENTITLEMENT_WEBHOOK_SECRET'] as const
const WITH_WEBHOOK = {
  ENTITLEMENT_PORT: 0,
  ENTITLEMENT_PROXIES: '10.0.0.1',
  ENTITLEMENT_CLIENT_CA: 'package.json',
  ENTITLEMENT_WEBHOOK_URL: 'https://shop.example.com',
}

t.test('a secret comes from a file, without the line end behind it', async t => {
  const other = { ...WITH_WEBHOOK, ENTITLEMENT_WEBHOOK_SECRET: 'another-secret-of-ours' }
  for (const name of SECRETS)
    for (const end of ['', '\n', '\r\n']) {
      const { example = '' } = settingMeta.get(settings.shape[name]) ?? {}
      const folder = t.testdir({ secret: `${example}${end}` })
      const given = { ...other, [name]: undefined, [`${name}_FILE`]: join(folder, 'secret') }
      t.same(
        { ...readConfig(given) },
        { ...readConfig({ ...other, [name]: example }) },
        `${name}${JSON.stringify(end)}`,
      )
    }
  const keys = ['0'.repeat(64), '1'.repeat(64)]
  const TOKEN_KEYS_FILE = join(t.testdir({ keys: `${keys.join('\n')}\n` }), 'keys')
  t.same(
    readConfig({ TOKEN_KEYS_FILE }).TOKEN_KEYS?.map(key => key.toString('hex')),
    keys,
    'keys may stand one in a line, as in token.keys',
  )
})

t.test('a server takes its admin token from a file', async t => {
  const folder = t.testdir({ token: 'sixteen-characters-or-more\n' })
  const server = await startServer({ settings: { ADMIN_TOKEN_FILE: join(folder, 'token') } })
  t.teardown(() => server.close())
  const status = async (token: string) =>
    (await fetch(`${server.url}/admin/api/accounts`, { headers: { Authorization: `Bearer ${token}` } })).status
  t.equal(await status('sixteen-characters-or-more'), 200)
  t.equal(await status('sixteen-characters-or-less'), 401)
})

t.test('a file of a secret that cannot be used is refused, and its content is not repeated', async t => {
  const folder = t.testdir({ short: 'hidden', empty: '\n', large: 'hidden'.repeat(20_000) })
  const refused = (given: object, message: string) =>
    t.throws(() => readConfig(given), { name: 'ConfigError', message }, message)
  for (const name of SECRETS) {
    const file = `${name}_FILE`
    for (const path of [join(folder, 'missing'), folder, join(folder, 'large'), '/dev/null'])
      refused({ [file]: path }, `${file} must be the path of a file that can be read`)
    refused({ [file]: join(folder, 'empty') }, `${file} must be the path of a file that is not empty`)
    refused(
      { [file]: join(folder, 'short') },
      messageOf(() => readConfig({ [name]: 'hidden' })).replace(name, `${name} (from ${file})`),
    )
    t.doesNotThrow(() => readConfig({ [file]: '' }), 'an empty value is no value')
  }
  const both = { ADMIN_TOKEN: 'sixteen-characters', ADMIN_TOKEN_FILE: join(folder, 'short') }
  t.match(
    messageOf(() => readConfig(both)),
    'ADMIN_TOKEN and ADMIN_TOKEN_FILE must not both be given',
  )
  t.notMatch(
    messageOf(() => readConfig(both)),
    'hidden',
  )
})

function messageOf(attempt: () => unknown): string {
  try {
    attempt()
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('it was accepted')
}

t.test('startServer refuses unknown settings and options, and says what was probably meant', async t => {
  const refused = (options: object, message: string) =>
    t.rejects(startServer(options), { name: 'ConfigError', message }, message)
  for (const [written, meant] of Object.entries({
    RATE_LIMIT_PER_ADRESS: 'RATE_LIMIT_PER_ADDRESS',
    port: 'PORT',
    databaseUrl: 'DATABASE_URL',
    LOGLEVEL: 'LOG_LEVEL',
    ADMIN_TOKNE: 'ADMIN_TOKEN',
    TRUSTED_PROXY: 'TRUSTED_PROXIES',
    TOKEN_KEY_FILE: 'TOKEN_KEYS_FILE',
  }))
    await refused({ settings: { [written]: '1' } }, `${written} is not a setting, did you mean ${meant}?`)
  // @ts-expect-error TypeScript knows the names, too.
  await refused({ settings: { FOO: '1' } } satisfies ServerOptions, 'FOO is not a setting')
  await refused({ settings: { __proto__: null, constructor: '1' } }, 'constructor is not a setting')
  await refused({ setings: {} }, 'setings is not an option of startServer, did you mean settings?')
  await refused({ verbose: true }, 'verbose is not an option of startServer')
})

t.test('a misspelled name in .env stops the start, with all other faults', async t => {
  t.testdir({ '.env': 'RATE_LIMIT_PER_ADRESS=5\nPORT=x\nPOSTGRES_PASSWORD=hidden\n' })
  const { code, stdout, stderr } = await runCommand(t, ['serve'], { MODUS: 'x', UPSTREAM_QUEU: '1' })
  t.equal(code, 1)
  t.equal(
    stderr,
    `The configuration is wrong:
  RATE_LIMIT_PER_ADRESS is not a setting, did you mean RATE_LIMIT_PER_ADDRESS?
  PORT must be a whole number from 0 to 65535
  UPSTREAM_QUEU is not a setting, did you mean UPSTREAM_QUEUE?
  .env has names that are not settings: POSTGRES_PASSWORD
`,
  )
  t.equal(stdout, '')
})

t.test('every command that reads the settings says what is wrong with them', async t => {
  t.testdir({ '.env': 'DATABASE_ULR=memory:\n' })
  for (const args of [['token'], ['pssh', '^film'], ['migrate'], ['accounts', 'list'], ['inspect', 'x'], ['health']]) {
    const { code, stderr } = await runCommand(t, args)
    t.match(stderr, /^(?:[\w ]+: )?DATABASE_ULR is not a setting, did you mean DATABASE_URL\?\n$/, args.join(' '))
    t.ok(code === 1 || code === 2)
  }
})

t.test('a port that Kubernetes sets for a service of that name is no setting', async t => {
  t.testdir({ '.env': 'PORT=0\nENTITLEMENT_PORT=tcp://10.0.0.1:8091\n' })
  const links = { PORT: 'udp://10.0.0.1:53', ENTITLEMENT_PORT: 'tcp://10.0.0.1:8091' }
  const ofFile = await runCommand(t, ['serve'], { ...links, ENTITLEMENT_TLS_CERT: '' })
  t.equal(
    ofFile.stderr.split('\n')[1],
    '  ENTITLEMENT_PORT must be a whole number from 0 to 65535',
    'in .env it is one',
  )

  t.testdir({ '.env': 'PORT=0\n' })
  const server = startCommand(t, ['serve'], { ...links, DATA_DIR: '' })
  await server.printed(/"listening"/)
  server.child.kill('SIGTERM')
  const { code, stdout } = await server.ended
  t.equal(code, 0)
  for (const name of Object.keys(links)) t.match(stdout, `"msg":"${name} is ignored: its value is the address`)
})

t.test('of the environment only what looks like a misspelled setting is warned of', async t => {
  t.testdir({ '.env': 'COMPOSE_PROJECT_NAME=drm\n' })
  const right = { BODY_LIMIT: '2048', BODYLIMIT: '4096' }
  const server = startCommand(t, ['serve'], { PORT: '0', DATA_DIR: '', ...OF_OTHERS, ...right, HIDE_UPSTREM: 'true' })
  await server.printed(/"listening"/)
  server.child.kill('SIGTERM')
  const { stdout } = await server.ended
  const warnings = stdout
    .split('\n')
    .flatMap(line => (line.includes('"level":40') ? [(JSON.parse(line) as { msg: string }).msg] : []))
  t.same(warnings, [
    'HIDE_UPSTREM is not a setting, did you mean HIDE_UPSTREAM?',
    '.env has names that are not settings: COMPOSE_PROJECT_NAME',
  ])
})

/** Variables of shells, Node, npm, containers, Kubernetes, databases and continuous integration. */
const OF_OTHERS = Object.fromEntries(
  [
    'HOME USER SHELL TERM LANG LC_ALL PWD OLDPWD SHLVL LOGNAME HOSTNAME HOSTTYPE TMPDIR EDITOR DISPLAY MAIL TZ _ MODEL',
    'XDG_DATA_DIRS XDG_DATA_HOME XDG_RUNTIME_DIR SSH_AUTH_SOCK USERDOMAIN COMPUTERNAME PUBLIC ProgramData SystemRoot',
    'NODE NODE_ENV NODE_PATH INIT_CWD NPM_CONFIG_LOGLEVEL npm_config_loglevel npm_lifecycle_event npm_package_version',
    'HTTP_PROXY https_proxy NO_PROXY SSL_CERT_FILE HOSTS HOST_IP POD_IP NODE_NAME PORTS DEBUG LOG_FORMAT LOG_FILE',
    'KUBERNETES_SERVICE_HOST KUBERNETES_PORT KUBERNETES_PORT_443_TCP_ADDR EXPRESSPLAY_PORT EXPRESSPLAY_PORT_8080_TCP',
    'EXPRESSPLAY_SERVICE_HOST EXPRESSPLAY_SERVICE_PORT TOKEN_BACKEND_PORT TOKEN_BACKEND_PORT_8080_TCP_PROTO',
    'ENTITLEMENT_SERVICE_HOST ENTITLEMENT_SERVICE_PORT ENTITLEMENT_PORT_8443_TCP ENTITLEMENT_PORT_8443_TCP_ADDR',
    'UPSTREAM_SERVICE_HOST UPSTREAM_PORT UPSTREAM_PORT_80_TCP DATABASE_PORT DATABASE_HOST DATABASE_USER DATABASE_SSL',
    'DATABASE_NAME DATABASE_PASSWORD POSTGRES_PASSWORD PGHOST PGDATA REDIS_URL MYSQL_DATABASE DATABASE_DIR DATA_PATH',
    'CI GITHUB_TOKEN GITHUB_ENV GITLAB_ENVIRONMENT_URL CI_ENVIRONMENT_NAME RUNNER_TEMP AWS_REGION ADMIN_PASSWORD',
    'ACCESS_TOKEN API_TOKEN TOKEN SECRET_KEYS CACHE_DIR LOG_DIR PUBLIC_PATH BASE_URL SITE_URL REQUEST_ID',
  ].flatMap(line => line.split(' ').map(name => [name, 'x'] as const)),
)
