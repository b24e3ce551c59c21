import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { errorOf, form, startTestServer } from '../harness.js'
import { startPostgres } from '../postgres.js'
import { type Outcome, runCommand, startCommand } from '../process.js'

const listening = /"url":"(http:[^"]+)"/
const given = '7,0123456789abcdef0123456789abcdef'
const third = '7,00112233445566778899aabbccddeeff'
const other = '7,fedcba9876543210fedcba9876543210'

/** The command line with these settings: the whole line as a user types it, and what comes on standard input. */
function commandLine(t: Test, settings: Record<string, string> = {}) {
  return (line: string, input = ''): Promise<Outcome> => runCommand(t, line.split(' '), settings, input)
}

t.test('accounts are administered on the database itself', async t => {
  t.testdir()
  const run = commandLine(t)
  t.match(await run('migrate'), { code: 0 })
  t.match(await run('accounts list'), { code: 0, stdout: /^id +name +enabled.*production balance\n$/ })

  const created = await run('accounts create --name Kino --balance 50')
  t.match(created, {
    code: 0,
    stderr: '',
    stdout: /^Account 1\..*test +1,[0-9a-f]{32}\nproduction +1,[0-9a-f]{32}\n$/s,
  })
  const second = await run(
    'accounts create --json --id 7 --playready no --enabled no --test - --production -',
    `${given}\n${other}\n`,
  )
  t.match(JSON.parse(second.stdout), {
    id: 7,
    enabled: false,
    drm: { playready: false },
    authenticators: { test: given, production: other },
  })

  t.match(await run('accounts change 7 --enabled yes --playready yes --name Film'), {
    code: 0,
    stdout: /name +Film\nenabled +yes\nplayready +yes\n/,
  })
  t.match(await run('accounts change 7 --max-redemptions 3'), { code: 0, stdout: /redemptions +3 per token\n/ })
  t.match(await run('accounts change 7 --max-redemptions none'), { code: 0, stdout: /redemptions +unlimited\n/ })
  t.match(await run('accounts show 7'), { stdout: /requests +as the server has it\ntokens +unlimited\n/ })
  t.match(await run('accounts change 7 --requests-per-minute 600 --tokens-per-day 9000'), {
    code: 0,
    stdout: /requests +600 per minute\ntokens +9000 per day\n/,
  })
  t.match(await run('accounts change 7 --tokens-per-day none --json'), {
    code: 0,
    stdout: /"requestsPerMinute": 600,\s+"tokensPerDay": null/,
  })
  t.match(await run('accounts show 7'), {
    stdout: /charge +at issue\ntoken style +as the server has it\nstrict parameters +as the server has it\n/,
  })
  t.match(await run('accounts change 7 --charge redemption --token-style 2015 --strict-parameters no'), {
    code: 0,
    stdout: /charge +at redemption\ntoken style +2015\nstrict parameters +no\n/,
  })
  t.match(await run('accounts change 7 --token-style none --strict-parameters none --json'), {
    code: 0,
    stdout: /"charge": "redemption",\s+"tokenStyle": null,\s+"strictParameters": null/,
  })
  const strict = await run(
    'accounts create --id 8 --charge redemption --token-style 2021 --strict-parameters yes --json',
  )
  t.match(JSON.parse(strict.stdout), { charge: 'redemption', tokenStyle: '2021', strictParameters: true })
  t.match(await run('accounts balance 7 test --add -1000000'), { code: 0, stdout: '0\n' })
  t.match(await run('accounts balance 7 production --set 12'), { code: 0, stdout: '12\n' })

  const rotated = await run('accounts rotate 7 test --valid-for 60 --json')
  const { authenticator, othersValidUntil } = JSON.parse(rotated.stdout) as Record<string, string> // checked right here
  t.match(authenticator, /^7,[0-9a-f]{32}$/)
  const seconds = (Date.parse(othersValidUntil ?? '') - Date.now()) / 1000
  t.ok(seconds > 30 && seconds <= 60, 'the others are valid for the time asked')
  t.match(await run('accounts rotate 7 test --authenticator -', `${other}\n`), {
    code: 0,
    stdout: new RegExp(`^${other}\n`),
  })

  const added = await run(
    'accounts authenticators add 7 production --name storefront --valid-until 2100-01-01T00:00:00Z',
  )
  t.match(added, {
    code: 0,
    stdout: /^7,[0-9a-f]{32}\n\nIt is not shown again\. It is valid until 2100-01-01T00:00:00\.000Z\.\n$/,
  })
  t.match(
    await run('accounts authenticators add 7 production --name packager --authenticator - --json', `${third}\n`),
    {
      code: 0,
      stdout: new RegExp(`"name": "packager",\\s+"authenticator": "${third}",\\s+"validUntil": null`),
    },
  )
  t.match(await run('accounts authenticators list 7'), {
    code: 0,
    stdout: /^production +storefront +20[^ ]+ +2100-01-01T00:00:00\.000Z$/m,
  })
  t.match(await run('accounts authenticators remove 7 production storefront'), {
    code: 0,
    stdout: 'storefront is not valid any more.\n',
  })
  const left = JSON.parse((await run('accounts authenticators list 7 --json')).stdout)
  t.match(left, { test: Array, production: [{ name: 'packager', validUntil: null }, { name: /^unnamed-/ }] })

  const list = await run('accounts list')
  t.match(list.stdout, /^1 +Kino +yes +yes +yes +yes +yes +50 +50\n7 +Film +yes +yes +yes +yes +yes +0 +12\n8 /m)
  const shown = await run('accounts show 7')
  t.equal(shown.stdout.match(/^test +unnamed-[0-9a-f]{12} +20.+/gm)?.length, 3, 'three authenticators for test')
  t.match(JSON.parse((await run('accounts list --json')).stdout), [{ id: 1 }, { id: 7 }, { id: 8 }])
  t.notMatch(list.stdout + shown.stdout, /[0-9a-f]{32}/)
})

t.test('what is refused is said on standard error, with exit code 1', async t => {
  t.testdir()
  const run = commandLine(t, { DATABASE_URL: 'sqlite:accounts.db' })
  t.match(await run('migrate'), { code: 0 })
  t.match(await run('accounts create --id 7'), { code: 0 })
  for (const [line, message] of [
    ['accounts create --id 7', 'id: there is an account with it already'],
    ['accounts create --id 8 --test 7,0123456789abcdef0123456789abcdef', "must begin with the account's id"],
    ['accounts show seven', 'id: must be a whole number'],
    ['accounts change 7', 'must have at least one of'],
    ['accounts change 7 --max-redemptions many', 'maxRedemptions: '],
    ['accounts change 7 --requests-per-minute 0', 'limits.requestsPerMinute: '],
    ['accounts change 7 --enabled perhaps', 'Allowed choices are yes, no'],
    ['accounts change 7 --charge never', 'Allowed choices are issue, redemption'],
    ['accounts change 7 --token-style 2016', 'Allowed choices are 2015, 2021, none'],
    ['accounts create --token-style none', 'Allowed choices are 2015, 2021'],
    ['accounts balance 7 test --add -1000001', 'the balance must stay from 0'],
    ['accounts rotate 7 test --valid-for 1h', 'validForSeconds: '],
    ['accounts authenticators add 7 test', '--name'],
    ['accounts authenticators add 7 test --name a/b', 'name: must have'],
    ['accounts authenticators add 7 test --name a --valid-until tomorrow', 'validUntil: must be RFC 3339'],
    ['accounts authenticators add 7 test --name a --valid-until 2020-01-01T00:00:00Z', 'must be in the future'],
    ['accounts authenticators remove 7 test a', 'There is no authenticator with this name'],
  ] as const)
    t.match(await run(line), { code: 1, stdout: '', stderr: message }, line)
  const wrong = commandLine(t, { DATABASE_URL: 'mysql://x', ADMIN_TOKEN: 'short' })
  t.match(await wrong('accounts list'), { code: 1, stderr: /DATABASE_URL must be.*\nADMIN_TOKEN must have/ })
})

t.test('where there is no database none is made, and the server that answers is named', async t => {
  t.testdir()
  const { url } = await startTestServer(t)
  const beside = commandLine(t, { PORT: new URL(url).port })
  const database = join(t.testdirName, 'data', 'expressplay.db')
  for (const line of ['accounts list', 'accounts create --name Kino']) {
    const { code, stderr } = await beside(line)
    t.equal(code, 2)
    t.match(stderr, `there is none at ${database}. A server answers on ${url}: --url ${url} asks it.`)
  }
  const alone = await commandLine(t, { PORT: '1' })('accounts list')
  t.match(alone, { code: 2, stderr: /there is none at .*DATABASE_URL or DATA_DIR names another/ })
  t.notOk(existsSync(database))
})

t.test('a file that a server has for itself is administered through that server', async t => {
  t.testdir()
  writeFileSync(
    join(t.testdirName, 'accounts.json'),
    JSON.stringify({ accounts: [{ id: 7, authenticators: { test: given } }] }),
  )
  const settings = { ACCOUNTS_FILE: 'accounts.json', ADMIN_TOKEN: 'a-token-of-32-characters-exactly' }
  const server = startCommand(t, ['serve'], { ...settings, PORT: '0' })
  const [, url = ''] = await server.printed(listening)
  const run = commandLine(t, { ...settings, PORT: new URL(url).port })
  const tokenWith = async (customerAuthenticator: string | undefined) =>
    (await fetch(`${url}/hms/pr/token?${form({ customerAuthenticator: customerAuthenticator ?? '' })}`)).status

  t.match(await run('accounts list'), { code: 0, stdout: /^7 +yes +yes +yes +yes +yes +1000000 +1000000$/m })
  const { stdout } = await run('accounts rotate 7 test --valid-for 0')
  const [next] = stdout.split('\n')
  t.same([await tokenWith(given), await tokenWith(next)], [401, 200])
  const added = await run('accounts authenticators add 7 test --name storefront --valid-until 2100-01-01T00:00:00Z')
  const [storefront] = added.stdout.split('\n')
  t.same([await tokenWith(next), await tokenWith(storefront)], [200, 200])
  t.match(await run('accounts authenticators list 7'), { code: 0, stdout: /^test +storefront .* 2100/m })
  t.match(await run('accounts authenticators remove 7 test storefront'), { code: 0 })
  t.same([await tokenWith(next), await tokenWith(storefront)], [200, 401])
  t.match(await run('accounts authenticators remove 7 test storefront'), {
    code: 1,
    stderr: 'There is no authenticator with this name\n',
  })
  t.match(await run('accounts balance 7 test --set 3 --json'), { code: 0, stdout: /"balance": 3/ })
  t.match(await run('accounts change 7 --playready no'), { code: 0 })
  t.equal(await tokenWith(next), 400)
  t.match(await run('accounts create --name Kino'), { code: 0, stdout: /^Account 8\./ })
  t.match(await run('accounts show 9'), { code: 1, stderr: 'There is no account with this id\n' })
  t.match(await run(`accounts show 8 --url ${url}/`), { code: 0, stdout: /name +Kino/ })

  const stranger = commandLine(t, { ...settings, ADMIN_TOKEN: '', PORT: new URL(url).port })
  t.match(await stranger('accounts list'), { code: 1, stderr: /needs "Authorization: Bearer"/ })
  const elsewhere = commandLine(t, { ...settings, PORT: '1' })
  t.match(await elsewhere('accounts list'), { code: 2, stderr: /in use by another process.*\. No answer from .*--url/ })
  t.match(await run('migrate'), { code: 1, stderr: /in use by another process/ })

  server.child.kill('SIGTERM')
  const { stdout: log } = await server.ended
  t.notMatch(log, next?.slice(2))
  t.notMatch(log, settings.ADMIN_TOKEN)

  // What the file seeded has a life of its own.
  writeFileSync(
    join(t.testdirName, 'accounts.json'),
    JSON.stringify({ accounts: [{ id: 7, name: 'other', authenticators: { test: given } }] }),
  )
  const again = startCommand(t, ['serve'], { ...settings, PORT: '0' })
  const [, newUrl = ''] = await again.printed(listening)
  const shown = await run(`accounts show 7 --json --url ${newUrl}`)
  t.match(JSON.parse(shown.stdout), { name: '', drm: { playready: false }, services: { test: { balance: 3 } } })
})

t.test('without a server, or without its admin API, there is no answer or a refusal', async t => {
  t.testdir()
  const inMemory = { DATABASE_URL: 'memory:' }
  t.match(await commandLine(t, { ...inMemory, PORT: '1' })('accounts list'), {
    code: 2,
    stderr: /^No answer from http:\/\/127/,
  })
  const { url } = await startTestServer(t)
  const run = commandLine(t, { ...inMemory, PORT: new URL(url).port })
  t.match(
    await run('accounts list --json'),
    { code: 0, stdout: /"id": 201722/ },
    'a database in memory is its server’s',
  )
  t.match(await run('accounts list --url nonsense'), { code: 2, stderr: 'No answer from this URL' })
  t.match(await run(`accounts list --url ${url}/docs`), { code: 1, stderr: /no admin API: set the same ADMIN_TOKEN/ })
  const strange = createServer((_request, response) => response.end('{"accounts":7}')).listen(0, '127.0.0.1')
  t.teardown(() => strange.close())
  await once(strange, 'listening')
  const { port } = strange.address() as AddressInfo // it listens on a port
  t.match(await run(`accounts list --url http://127.0.0.1:${port}`), { code: 2, stderr: /none of the admin API's/ })
  const nobody = commandLine(t, { DATABASE_URL: 'postgres://test:secret@127.0.0.1:1/test' })
  for (const line of ['accounts list', 'migrate']) {
    const { code, stderr } = await nobody(line)
    t.equal(code, 2)
    t.match(stderr, /^No answer from the database: .*ECONNREFUSED/)
    t.notMatch(stderr, 'secret')
  }
})

t.test('migrate says what it applied; on PostgreSQL, commands and servers share the database', async t => {
  t.testdir()
  const DATABASE_URL = await (await startPostgres(t)).newDatabase()
  const run = commandLine(t, { DATABASE_URL })
  t.match(await run('migrate'), { code: 0, stdout: /^applied 0001-.+\napplied 0002-.+\n(?:applied \d{4}-.+\n)+$/ })
  t.match(await run('migrate'), { code: 0, stdout: 'The database is up to date.\n' })
  t.match(await commandLine(t)('migrate'), { code: 0, stdout: /^applied 0001-/ }, 'SQLite, too')

  let uptime = 0
  const server = await startTestServer(t, { settings: { DATABASE_URL }, uptime: () => uptime })
  t.equal((await server.get()).status, 200)
  t.match(await run('accounts change 201722 --enabled no'), { code: 0 })
  uptime += 501
  t.match(await errorOf(await server.get()), { code: -2031 }, 'the server knows of it half a second later')
})

t.test('every command has a help with examples', async t => {
  t.testdir()
  const authenticators = ['list', 'add', 'remove'].map(name => `authenticators ${name}`)
  const commands = ['list', 'show', 'create', 'change', 'balance', 'rotate', ...authenticators].map(
    name => `accounts ${name}`,
  )
  const helps = [...commands, 'migrate'].map(async command => ({
    command,
    ...(await commandLine(t)(`${command} --help`)),
  }))
  for (const { command, code, stdout } of await Promise.all(helps)) {
    t.equal(code, 0)
    t.match(stdout, new RegExp(`Examples:\n {2}\\$ expressplay-token-backend ${command}`))
  }
  t.match(await commandLine(t)('accounts --help'), { code: 0, stdout: /Exit code 0 when it was done/ })
})
