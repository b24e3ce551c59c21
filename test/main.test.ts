import { exec, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import t from 'tap'
import { banner } from '../src/banner.js'
import { readConfig } from '../src/config/config.js'
import { startServer } from '../src/index.js'
import { form, startTestServer, tokenOf } from './harness.js'
import { runCommand, startCommand } from './process.js'

const listening = /listening on +(http:\/\/127\.0\.0\.1:\d+)/

t.test('the first start shows where it listens, who may ask, and a command that works when pasted', async t => {
  t.testdir()
  const server = startCommand(t, ['serve'], { PORT: '0' })
  const [, curl = ''] = await server.printed(/^ *(curl '.*')$/m)
  const [, url = ''] = await server.printed(listening)
  const { stdout } = await promisify(exec)(curl)
  t.match(JSON.parse(stdout), { token: /^[\w-]{222}$/ })

  const keyFile = join(t.testdirName, 'data', 'token.keys')
  t.equal(statSync(keyFile).mode & 0o777, 0o600, 'the key that was made is for its owner alone')
  t.match(readFileSync(keyFile, 'utf8'), /^[0-9a-f]{64}\n$/)
  server.child.kill('SIGTERM')
  const { code, stdout: log, stderr: shown } = await server.ended
  t.equal(code, 0)
  t.notMatch(server.output(), readFileSync(keyFile, 'utf8').trim(), 'the key is not printed')
  t.ok(linesOf(log).length > 0, 'standard output has JSON lines only')
  for (const fact of [
    /mode +emulate/,
    new RegExp(`player +${url}/player\n`),
    new RegExp(`documentation +${url}/docs\n`),
    /database +SQLite, \/.*\/data\/expressplay\.db\n/,
    /accounts +1\n/,
    /demo, test +201722,1ad8eed133edf43cbcc185f0236828ae\n/,
    /demo, production +201722,6d1f0c5e9b3f4826a1e7c0d95b64f213\n/,
  ])
    t.match(shown, fact)
  t.notMatch(shown, 'WARNING')
})

t.test('in production the command that is shown is one of production', async t => {
  t.testdir()
  const server = startCommand(t, ['serve'], { PORT: '0', DATA_DIR: '', ENVIRONMENT: 'production' })
  const [, curl = ''] = await server.printed(/^ *(curl '.*')$/m)
  t.match(JSON.parse((await promisify(exec)(curl)).stdout), { token: String })
})

t.test('a gateway shows whom it asks, and its ports at every level of its log', async t => {
  const accounts = [
    {
      id: 201722,
      authenticators: { test: '201722,1ad8eed133edf43cbcc185f0236828ae' },
      upstream: { test: '777,00112233445566778899aabbccddeeff' },
    },
  ]
  t.testdir({ 'accounts.json': JSON.stringify({ accounts }) })
  const server = startCommand(t, ['serve'], {
    ...{ MODE: 'gateway', ACCOUNTS_FILE: 'accounts.json', DATA_DIR: '' },
    ...{ HOST: '0.0.0.0', PORT: '0', LOG_LEVEL: 'fatal' },
    UPSTREAM_PRODUCTION_URL: 'http://127.0.0.1:1',
  })
  await server.printed(/"listening"/)
  server.child.kill('SIGTERM')
  const { stdout, stderr } = await server.ended
  const [line, ...others] = linesOf(stdout)
  t.same(others, [])
  t.match(line, { msg: 'listening', mode: 'gateway', addresses: [/^0\.0\.0\.0:[1-9]\d*$/] })
  t.match(stderr, /mode +gateway/)
  t.match(stderr, new RegExp(`listening on +http://${String(line?.addresses)} `))
  const real = [...['pr-gen', 'wv-gen', 'fp-gen', 'ms3-gen', 'bb-gen'], ...['pr', 'wv', 'fp', 'ms3', 'bb', 'api']]
  const [, shown = ''] = /upstream, test +(.*)\n/.exec(stderr) ?? []
  t.same(
    shown.split(', '),
    real.map(name => `${name}.test.expressplay.com${name === 'ms3' ? ':8443' : ''}`),
  )
  t.match(stderr, /upstream, production +127\.0\.0\.1:1\n/)
  t.match(stderr, /WARNING: other machines may reach 0\.0\.0\.0:\d+, and the demo account is public/)
  t.notMatch(stderr, 'curl')
  t.notMatch(stderr + stdout, '00112233445566778899aabbccddeeff')
})

t.test('a replay shows where its recordings are, and no request that nobody has recorded', async t => {
  const request = { environment: 'test', customerId: 1, parameters: {}, secrets: [] }
  const recorded = { format: 1, recordedAt: '2026-06-01T12:00:00Z', request, failure: 'not reached' }
  t.testdir({ recordings: { '0001.json': JSON.stringify(recorded) } })
  const server = startCommand(t, ['serve'], { PORT: '0', DATA_DIR: '', MODE: 'replay', RECORD_DIR: 'recordings' })
  await server.printed(/"listening"/)
  server.child.kill('SIGTERM')
  const { stderr } = await server.ended
  t.match(stderr, /mode +replay.*\n/)
  t.match(stderr, /recordings +\/.*\/recordings\n/)
  t.notMatch(stderr, /curl|emulat/)
})

t.test('a password of the database is not shown', async t => {
  const config = readConfig({
    DATABASE_URL: 'postgres://drm:secret@db.example.com:5433/drm?password=other&sslmode=require',
  })
  const server = await startServer()
  t.teardown(() => server.close())
  const listening = {
    addresses: [],
    tlsAddresses: [],
    proxyAddresses: [],
    entitlementAddresses: [],
    openDemo: [],
    accounts: 7,
  }
  const shown = banner(config, { ...server, ...listening })
  t.match(shown, /database +PostgreSQL, db\.example\.com:5433\/drm\n/)
  t.notMatch(shown, /secret|other/)
})

t.test(
  'npm start passes SIGTERM on to the server',
  { skip: process.platform === 'win32' && 'signals of POSIX' },
  async t => {
    t.testdir()
    const env = { ...{ PATH: process.env.PATH ?? '', HOME: t.testdirName }, PORT: '0', HOST: '127.0.0.1', DATA_DIR: '' }
    const npm = spawn('npm', ['start', '--prefix', resolve('.')], { cwd: resolve('.'), env })
    t.teardown(() => npm.kill('SIGKILL'))
    const log = text(npm.stdout)
    let shown = ''
    for await (const chunk of npm.stderr) {
      shown += chunk
      if (listening.test(shown)) break
    }
    npm.kill('SIGTERM')
    await once(npm, 'exit')
    t.match(await log, '"msg":"stopped"', 'which ends when everybody who has the output open is gone')
  },
)

t.test('of processes that start at once one makes the key and all use it', async t => {
  t.testdir()
  const settings = { DATABASE_URL: 'memory:' } // a file belongs to one process only
  const servers = Array.from({ length: 3 }, () => startCommand(t, ['serve', '--port', '0'], settings))
  const tokens = await Promise.all(
    servers.map(async server => {
      const [, url] = await server.printed(listening)
      return tokenOf(await fetch(`${url}/hms/pr/token?${form()}`))
    }),
  )
  for (const token of tokens) t.match(await runCommand(t, ['inspect', token]), { code: 0 })
  t.same(readdirSync(join(t.testdirName, 'data')), ['token.keys'])
})

t.test('tokens of an earlier run stay valid', async t => {
  const DATA_DIR = join(t.testdir(), 'data')
  const first = await startTestServer(t, { settings: { DATA_DIR } })
  const token = await tokenOf(await first.get())
  await first.close()
  const second = await startTestServer(t, { settings: { DATA_DIR } })
  t.match(second.openToken(token), { customerId: 201722 })
  t.match(await runCommand(t, ['inspect', token]), { code: 0, stdout: /"customerId": 201722/ })
})

t.test('SIGTERM drains: what is under way is answered, what is new is refused', async t => {
  t.testdir()
  const server = startCommand(t, ['serve'], { PORT: '0' })
  const [, url = ''] = await server.printed(listening)
  const body = form().toString()
  const [begin, end] = [body.slice(0, 20), body.slice(20)]
  const { port } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  let answer = ''
  socket.on('data', chunk => {
    answer += chunk
  })
  socket.write(
    `POST /hms/pr/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
  )
  // The server answers 100 Continue when the request has reached it.
  await new Promise(resolve => socket.once('data', resolve))
  socket.write(begin)

  // Signals that other programs give a meaning to.
  for (const signal of ['SIGHUP', 'SIGUSR1'] as const) server.child.kill(signal)
  t.equal((await fetch(`${url}/healthz`)).status, 200)
  server.child.kill('SIGTERM')
  await server.printed(/"draining"/)
  await t.rejects(refusedConnection(Number(port)), { code: 'ECONNREFUSED' })
  const closed = new Promise(resolve => socket.once('close', resolve))
  socket.write(end)
  await closed
  t.match(answer, /HTTP\/1\.1 200 OK.*"token":"/s)
  const { code, stdout, stderr } = await server.ended
  t.equal(code, 0)
  t.notMatch(stderr, 'Debugger listening')
  t.match(stdout, '"msg":"stopped"')
})

t.test('a shutdown answers every request of a connection that has sent several', async t => {
  t.testdir()
  const server = startCommand(t, ['serve'], { PORT: '0' })
  const [, url = ''] = await server.printed(listening)
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let answers = ''
  socket.on('data', chunk => {
    answers += chunk
  })
  const closed = new Promise(resolve => socket.once('close', resolve))
  await new Promise<void>(resolve => {
    socket.once('data', () => {
      // The first answer is there, and the tokens are on their way to the disk.
      server.child.kill('SIGTERM')
      resolve()
    })
    const paths = ['/healthz', ...Array.from({ length: 40 }, () => `/hms/pr/token?${form()}`)]
    socket.write(paths.map(path => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
  })
  await closed
  await server.ended
  const again = startCommand(t, ['serve'], { PORT: '0' })
  const [, second = ''] = await again.printed(listening)
  const query = new URLSearchParams({
    customerAuthenticator: '201722,1ad8eed133edf43cbcc185f0236828ae',
    start: '0',
    length: '100',
  })
  const { events } = (await (await fetch(`${second}/cmiapi/getrecord/?${query}`)).json()) as { events: unknown[] } // as documented
  t.equal(answers.match(/"token":"/g)?.length ?? 0, events.length, 'what was charged was answered')
})

t.test('a shutdown does not wait for connections that carry no request', async t => {
  t.testdir()
  const server = startCommand(t, ['serve'], { PORT: '0', SHUTDOWN_TIMEOUT: '60' })
  const [, url = ''] = await server.printed(listening)
  const { port } = new URL(url)
  const closed = ['', 'GET /hms/pr/token HTTP/1.1\r\nHost: x\r\n'].map(async bytes => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.on('error', () => {})
    await new Promise(resolve => socket.once('connect', resolve))
    socket.write(bytes)
    return new Promise(resolve => socket.once('close', resolve))
  })
  await (await fetch(`${url}/readyz`)).text()
  server.child.kill('SIGTERM')
  const { code, stdout } = await server.ended
  t.equal(code, 0)
  t.match(stdout, '"msg":"stopped"', 'and not because its time was up')
  await Promise.all(closed)
})

t.test('a wrong configuration: all faults at once, exit code 1', async t => {
  t.testdir()
  const { code, stderr } = await runCommand(t, ['serve'], {
    PORT: 'http',
    LOG_LEVEL: 'loud',
    ACCOUNTS_FILE: '{"secret":1}',
    TOKEN_KEYS: 'secret',
  })
  t.equal(code, 1)
  t.match(
    stderr,
    /PORT must be a whole number.*LOG_LEVEL must be one of.*ACCOUNTS_FILE must be the path.*TOKEN_KEYS must be keys/s,
  )
  t.notMatch(stderr, 'secret')
})

t.test('what keeps it from starting is said, exit code 1', async t => {
  t.testdir({ data: { 'token.keys': 'not a key\n' } })
  t.match(await runCommand(t, ['serve'], { PORT: '0' }), { code: 1, stderr: /token\.keys must hold keys of 64/ })

  const server = startCommand(t, ['serve'], { PORT: '0', DATA_DIR: '' })
  const [, url = ''] = await server.printed(listening)
  const taken = await runCommand(t, ['serve'], { PORT: new URL(url).port, DATA_DIR: 'other' })
  t.match(taken, { code: 1, stderr: /with this HOST and PORT: .*EADDRINUSE/ })
  const noFolder = await runCommand(t, ['serve'], { PORT: '0', DATA_DIR: '/dev/null/x' })
  t.match(noFolder, { code: 1, stderr: /DATA_DIR cannot be used: ENOTDIR/ })
  if (process.platform !== 'linux') return
  const inProc = await runCommand(t, ['serve'], { PORT: '0', DATA_DIR: '/proc/some/data' })
  t.match(inProc, { code: 1, stderr: /DATA_DIR cannot be used: ENOENT/ })
  const file = await runCommand(t, ['serve'], { PORT: '0', DATA_DIR: '', DATABASE_URL: 'sqlite:/proc/some/file.db' })
  t.match(file, { code: 1, stderr: /DATABASE_URL: \/proc\/some\/file\.db cannot be opened: ENOENT/ })
})

t.test('a .env file sets what the environment does not', async t => {
  t.testdir({ '.env': 'PORT=0\nENVIRONMENT=production\nDATA_DIR=\nLOG_LEVEL=info\n' })
  const server = startCommand(t, ['serve'], { LOG_LEVEL: 'silent' })
  const [, url = ''] = await server.printed(listening)
  const answer = await fetch(`${url}/hms/pr/token?${form()}`)
  t.equal(answer.status, 401, 'the test authenticator is not valid in production')
  server.child.kill('SIGTERM')
  t.notMatch((await server.ended).stdout, '"msg"', 'silent')
})

t.test('an accounts file instead of the demo account', async t => {
  t.testdir()
  const file = join(t.testdirName, 'accounts.json')
  const authenticator = '9,0123456789abcdef0123456789abcdef'
  writeFileSync(file, JSON.stringify({ accounts: [{ id: 9, authenticators: { test: authenticator } }] }))
  const server = startCommand(t, ['serve'], { PORT: '0', ACCOUNTS_FILE: file })
  const [, url] = await server.printed(/"url":"([^"]+)"/)
  t.equal((await fetch(`${url}/hms/pr/token?${form({ customerAuthenticator: authenticator })}`)).status, 200)
  server.child.kill('SIGTERM')
  t.notMatch((await server.ended).stdout, authenticator)
})

function linesOf(log: string): Record<string, unknown>[] {
  const lines = log.split('\n').filter(line => line !== '')
  return lines.map(line => JSON.parse(line) as Record<string, unknown>) // pino writes objects
}

function refusedConnection(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}
