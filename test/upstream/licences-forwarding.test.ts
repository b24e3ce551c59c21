import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config/config.js'
import { Families } from '../../src/drm/families.js'
import { errorOf } from '../harness.js'
import { eventually } from '../ledger/load.js'
import { type Gateway, startGateway } from './gateway.js'
import {
  type Arrival,
  answerOf,
  type Behaviour,
  ends,
  type HostileUpstream,
  hangs,
  resets,
  says,
  startHostile,
  startSilent,
} from './hostile.js'

const WIDEVINE = '/hms/wv/rights/'
const PLAYREADY = '/playready/RightsManager.asmx'
const PLAYER = { origin: 'https://player.example.com' }

interface Stage {
  readonly gateway: Gateway
  readonly upstream: HostileUpstream
  /** Posts a key request, and tells what of it arrived. */
  ask(pathAndQuery: string, body?: Uint8Array | string, headers?: Record<string, string>): Promise<Response>
}

async function stage(t: Test, behave: Behaviour, settings = {}): Promise<Stage> {
  const upstream = await startHostile(t, behave)
  const gateway = await startGateway(t, upstream.url, { UPSTREAM_TIMEOUT: 300, ...settings })
  const ask: Stage['ask'] = (path, body = 'challenge', headers = {}) =>
    fetch(gateway.url + path, { method: 'POST', body, headers: { ...PLAYER, ...headers } })
  return { gateway, upstream, ask }
}

function lastOf({ arrivals }: HostileUpstream): Arrival {
  const last = arrivals.at(-1)
  if (last === undefined) throw new Error('nothing arrived')
  return last
}

/** Sends bytes to the gateway as they are, and gives back all that comes until the connection ends. */
async function raw(gateway: Gateway, ...parts: (string | Buffer)[]): Promise<string> {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
  for (const part of parts) socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part)
  let received = ''
  socket.on('data', chunk => {
    received += chunk.toString('latin1')
  })
  await once(socket, 'close')
  return received
}

const licence = randomBytes(3000).toString('latin1')
const licenceAnswer = (headers = '') =>
  `HTTP/1.1 200 Fine\r\ncontent-type: application/octet-stream\r\ncontent-length: 3000\r\n${headers}\r\n${licence}`
const endsEarly =
  (part: string): Behaviour =>
  ({ socket }) =>
    void socket.end(part, 'latin1')
const answers: Behaviour = ({ socket }) => void socket.write(licenceAnswer(), 'latin1')

t.test('challenge, query and licence are the same bytes on both sides', async t => {
  const { upstream, gateway, ask } = await stage(t, answers, { UPSTREAM_CONNECTIONS: 1, UPSTREAM_QUEUE: 1 })
  const challenge = randomBytes(20_000)
  const query = `?ExpressPlayToken=AQ%41D_%2b-&&a==b;c&=&%zz&environmental=x'"<>`
  const received = await ask(WIDEVINE + query, challenge)
  t.equal(Buffer.from(await received.arrayBuffer()).toString('latin1'), licence)
  t.equal(received.headers.get('content-type'), 'application/octet-stream')
  t.equal(lastOf(upstream).body, challenge.toString('latin1'))

  const chunks = [challenge.subarray(0, 7), challenge.subarray(7)].flatMap(chunk => [
    `${chunk.length.toString(16)}\r\n`,
    chunk,
    '\r\n',
  ])
  const head = `POST ${WIDEVINE}${query} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n`
  t.match((await raw(gateway, head, ...chunks, '0\r\n\r\n')).endsWith(licence), true, 'in chunks')
  t.match(lastOf(upstream).head, `POST ${WIDEVINE}${query} HTTP/1.1\r\n`)
  t.equal(lastOf(upstream).body, challenge.toString('latin1'))

  t.equal((await ask(WIDEVINE, Buffer.alloc(0))).status, 200, 'nothing at all')
  t.match(lastOf(upstream), { body: '', head: /content-length: 0\r\n/ })
  upstream.behave = says('HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n')
  for (let time = 0; time < 3; time++) t.equal((await ask(WIDEVINE)).status, 403, 'and nothing as an answer')
  const before = upstream.arrivals.length
  t.equal((await ask(WIDEVINE, randomBytes(70_000))).status, 413)
  t.equal(upstream.arrivals.length, before)
})

t.test('key requests of every DRM are the same bytes on both sides, at each of their paths', async t => {
  const { upstream, gateway } = await stage(t, answers)
  const ends = new Families().licences.flatMap(({ path, aliases = [], answersGet = false }) =>
    [path, ...aliases].flatMap(here => [
      { method: 'POST', here, there: path },
      ...(answersGet ? [{ method: 'GET', here, there: path }] : []),
    ]),
  )
  t.ok(ends.some(({ here }) => here === '/widevine/RightsManager.asmx'))
  t.ok(ends.some(({ method }) => method === 'GET'))
  const query = `?ExpressPlayToken=AQ%41D_%2b-&b=AQ/D+=&&a==b;c&=&%zz`
  for (const { method, here, there } of ends) {
    const title = `${method} ${here}`
    const body = method === 'GET' ? Buffer.alloc(0) : randomBytes(2000)
    const length = method === 'GET' ? '' : `content-length: ${body.length}\r\n`
    const received = await raw(
      gateway,
      `${title}${query} HTTP/1.1\r\nhost: x\r\n${length}connection: close\r\n\r\n`,
      body,
    )
    t.ok(received.endsWith(licence), title)
    t.match(lastOf(upstream).head.split('\r\n')[0], `${method} ${there}${query} HTTP/1.1`)
    t.equal(lastOf(upstream).body, body.toString('latin1'), title)
  }
})

t.test('headers that are about the request and the answer pass, all others stay', async t => {
  const dropped =
    'set-cookie: a=b\r\nserver: IIS\r\nlocation: http://evil.example\r\naccess-control-allow-origin: http://x\r\n'
  const more =
    'connection: keep-alive, x-hop\r\nx-hop: 1\r\nx-licence: 7\r\ncontent-language: \xe9\r\nalt-svc: h3=":443"\r\n'
  const forTheHost = NOT_OF_THE_ANSWER.map(name => `${name}: 1\r\n`).join('')
  const answer200 = licenceAnswer(dropped + more + forTheHost)
  const { upstream, ask } = await stage(t, ({ socket }) => void socket.write(answer200, 'latin1'), {
    RATE_LIMIT_PER_ADDRESS: '100',
  })
  const answer = await ask(`${PLAYREADY}?a`, 'x', {
    ...{ soapaction: '"AcquireLicense"', 'content-type': 'text/xml; charset=utf-8', 'user-agent': 'a player' },
    ...{ expressplaytoken: 'AQAD', 'x-device-id': '7', cookie: 'session=1', authorization: 'Basic eDp5' },
    ...{ 'x-forwarded-for': '203.0.113.7', 'x-forwarded-host': 'evil.example', forwarded: 'for=203.0.113.7' },
  })
  const { head } = lastOf(upstream)
  for (const line of [
    'soapaction: "AcquireLicense"',
    'content-type: text/xml; charset=utf-8',
    'user-agent: a player',
    'expressplaytoken: AQAD',
    'x-device-id: 7',
    'x-forwarded-for: 127.0.0.1',
    `host: 127.0.0.1:${upstream.port}`,
  ])
    t.match(head, `\r\n${line}\r\n`)
  t.notMatch(head, /cookie|authorization|origin|expect|forwarded-host|forwarded:|203\.0\.113/i)

  t.match(Object.fromEntries(answer.headers), {
    'content-length': '3000',
    'content-language': 'é',
    'x-licence': '7',
    'access-control-allow-origin': '*',
    'cache-control': 'no-store',
    'x-request-id': /./,
  })
  for (const name of ['set-cookie', 'server', 'location', 'alt-svc', 'x-hop']) t.notOk(answer.headers.has(name), name)
  for (const name of NOT_OF_THE_ANSWER)
    if (!/^x-ratelimit/.test(name)) t.notOk(answer.headers.has(name.replaceAll('_', '-')), name)
  t.match(answer.headers.get('x-ratelimit-limit'), /^100$/, 'ours alone')
})

/** Orders to proxies and browsers in front of us, and the limits of somebody else. */
const NOT_OF_THE_ANSWER = [
  ...['X-Accel-Redirect', 'X-Accel-Buffering', 'X-Sendfile', 'X-Lighttpd-Send-File', 'X-LiteSpeed-Location'],
  ...['Service-Worker-Allowed', 'Accept-CH', 'Surrogate-Control', 'CDN-Cache-Control'],
  ...['x-ratelimit-limit', 'x-ratelimit-remaining', 'RateLimit', 'RateLimit-Policy', 'X-Rate-Limit-Reset'],
]

t.test('the licence server is told one address of the sender, and it is one', async t => {
  const { upstream, gateway, ask } = await stage(t, answers)
  const claims = [
    ...['true-client-ip', 'cf-connecting-ip', 'cf-connecting-ipv6', 'x-client-ip', 'x-cluster-client-ip'],
    ...['x-original-forwarded-for', 'fastly-client-ip', 'x-real-ip', 'x-remote-addr', 'client-ip', 'x-azure-clientip'],
    ...['x_forwarded_for', 'X-Forwarded_For', 'true_client_ip', 'x.real.ip', 'x-forwarded', 'x-envoy-external-address'],
    ...['x-http-method-override', 'x-method-override', 'x-original-url', 'x-rewrite-url', 'x_forwarded_host'],
    ...['x-original-uri', 'x-ms-original-url', 'x-envoy-original-path', 'client-cert', 'x-arr-clientcert'],
    ...['remote-user', 'cdn-src-ip', 'x-what-comes-next', 'referer', 'x-extra'],
  ]
  const head = `POST ${WIDEVINE} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nconnection: close\r\n`
  await raw(gateway, `${head}${claims.map(name => `${name}: 203.0.113.7\r\n`).join('')}\r\nx`)
  t.notMatch(lastOf(upstream).head, '203.0.113.7')
  t.match(lastOf(upstream).head, '\r\nx-forwarded-for: 127.0.0.1\r\n')

  const behind = await startGateway(t, upstream.url, { TRUSTED_PROXIES: '127.0.0.1' })
  const from = async (address: string) => {
    await fetch(behind.url + WIDEVINE, { method: 'POST', body: 'x', headers: { 'x-forwarded-for': address } })
    return /^x-forwarded-for: (.*)\r$/m.exec(lastOf(upstream).head)?.[1]
  }
  t.equal(await from('198.51.100.1, 203.0.113.7'), '203.0.113.7')
  t.equal(await from('2001:db8::7'), '2001:db8::7')
  for (const nonsense of ['unknown', '203.0.113.7:4444', '"; DROP', 'x'.repeat(2000)])
    t.equal(await from(nonsense), undefined, nonsense.slice(0, 20))
  t.equal((await ask(WIDEVINE)).status, 200)
})

t.test('more headers go to the licence server where a setting names them', async t => {
  const { upstream, ask } = await stage(t, answers, { UPSTREAM_LICENCE_HEADERS: 'X-Player-Session, authorization' })
  const passed = { 'x-player-session': '7', authorization: 'Bearer of-the-licence-server' }
  await ask(WIDEVINE, 'x', { ...passed, 'x-other': '8', msprdrm_server_redirect_compat: 'false' })
  const { head } = lastOf(upstream)
  for (const [name, value] of Object.entries(passed)) t.match(head, `\r\n${name}: ${value}\r\n`)
  t.match(head, '\r\nmsprdrm_server_redirect_compat: false\r\n')
  t.notMatch(head, 'x-other')
  for (const name of ['Host', 'x, content-length', 'Connection', 'X-Forwarded-For', 'a b', 'x,'])
    t.throws(() => readConfig({ UPSTREAM_LICENCE_HEADERS: name }), /^UPSTREAM_LICENCE_HEADERS must be/, name)
})

t.test('an address has a share of the places, and who reads nothing of an answer loses its place', async t => {
  const settings = { UPSTREAM_TIMEOUT: 20_000, UPSTREAM_CONNECTIONS: 4, TRUSTED_PROXIES: '127.0.0.1' }
  const { upstream, ask } = await stage(t, hangs, settings)
  const from = (address: string) => ask(WIDEVINE, address, { 'x-forwarded-for': address })
  const many = Array.from({ length: 20 }, () => from('203.0.113.7'))
  await eventually(() => upstream.arrivals.length > 0, 'one of them')
  const others = ['198.51.100.1', '198.51.100.2', '2001:db8::1'].map(from)
  await eventually(() => upstream.arrivals.length === 4, 'all others')
  t.same(upstream.arrivals.map(({ body }) => body).sort(), [
    '198.51.100.1',
    '198.51.100.2',
    '2001:db8::1',
    '203.0.113.7',
  ])
  upstream.behave = answers
  for (const { socket } of upstream.arrivals) socket.write(licenceAnswer(), 'latin1')
  for (const answer of await Promise.all([...many, ...others])) t.equal(answer.status, 200)

  const large = 64 * 1024 * 1024
  const flood: Behaviour = ({ socket }) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${large}\r\n\r\n`)
    socket.write(Buffer.alloc(large))
  }
  const unread = await stage(t, flood, { UPSTREAM_CONNECTIONS: 1, UPSTREAM_TIMEOUT: 500 })
  const player = connect(Number(new URL(unread.gateway.url).port), '127.0.0.1').pause()
  t.teardown(() => player.destroy())
  player.write(`POST ${WIDEVINE} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`)
  await eventually(() => unread.upstream.arrivals.length === 1, 'it has the only place')
  unread.upstream.behave = answers
  await eventually(async () => (await unread.ask(WIDEVINE)).status === 200, 'another one gets it')
  t.match(unread.gateway.log.join('\n'), '"failure":"not read"')
})

t.test('nothing in a request decides where it goes', async t => {
  const evil = await startHostile(t, answers)
  const { upstream, gateway } = await stage(t, answers)
  const host = `127.0.0.1:${evil.port}`
  const rest = 'content-length: 1\r\nconnection: close\r\n'
  const tries: [requestLine: string, headers: string][] = [
    [`${evil.url}${WIDEVINE}?a`, `host: ${host}\r\n`],
    [
      `${WIDEVINE}?a`,
      `host: ${host}\r\nx-forwarded-host: ${host}\r\nx-original-url: ${evil.url}\r\nforwarded: host=${host}\r\n`,
    ],
    [`${WIDEVINE}?a#@${host}`, 'host: x\r\n'],
    [`${WIDEVINE}?a`, `host: x@${host}\r\n`],
    [`/hms/%77v/rights?a`, 'host: x\r\n'],
  ]
  for (const [line, headers] of tries) {
    t.match(await raw(gateway, `POST ${line} HTTP/1.1\r\n${headers}${rest}\r\nx`), /^HTTP\/1\.1 200/, line)
    t.match(lastOf(upstream).head, `POST ${WIDEVINE}?a HTTP/1.1\r\nhost: 127.0.0.1:${upstream.port}\r\n`)
  }
  for (const path of [
    `${WIDEVINE}../../../evil`,
    `//${host}${WIDEVINE}`,
    `${WIDEVINE}@${host}/`,
    `/playready/..%2f..%2fevil`,
    `${WIDEVINE}?environment=evil`,
    `${WIDEVINE}?environment=${encodeURIComponent(evil.url)}`,
    `${WIDEVINE}?environment=test&environment=production`,
    `${WIDEVINE}?environment`,
  ])
    t.match(await raw(gateway, `POST ${path} HTTP/1.1\r\nhost: x\r\n${rest}\r\nx`), /^HTTP\/1\.1 40[04]/, path)
  t.equal(upstream.arrivals.length, tries.length)
  t.equal(evil.connections, 0)

  await raw(gateway, `POST ${WIDEVINE}?b=%20&environment=test&c HTTP/1.1\r\nhost: x\r\n${rest}\r\nx`)
  t.match(lastOf(upstream).head, `POST ${WIDEVINE}?b=%20&c HTTP/1.1\r\n`, 'it is for us alone')
  await raw(gateway, `POST ${WIDEVINE}?environment=test HTTP/1.1\r\nhost: x\r\n${rest}\r\nx`)
  t.match(lastOf(upstream).head, `POST ${WIDEVINE} HTTP/1.1\r\n`)
})

t.test('failures before an answer begins, in the form of the family, and never sent again', async t => {
  const { gateway, upstream, ask } = await stage(t, hangs)
  const cases: [title: string, behave: Behaviour, status: number, message: RegExp][] = [
    ['hangs', hangs, 504, /did not answer in time$/],
    ['resets', resets, 502, /the connection to the licence server was lost$/],
    ['nothing after the head', endsEarly(licenceAnswer().replace(licence, '')), 502, /was lost$/],
    ['a head and silence', says(licenceAnswer().replace(licence, '')), 504, /did not answer in time$/],
    ['no HTTP', ends('SSH-2.0-OpenSSH_9.2\r\n'), 502, /something that is no answer$/],
    ['large headers', says(answerOf('', { headers: `x: ${'x'.repeat(20_000)}\r\n` })), 502, /server is too large$/],
    ['a status beyond all', says(answerOf('x', { status: '777 What' })), 502, /no answer$/],
    [
      'a redirection',
      says(answerOf('', { status: '307 T', headers: 'location: http://127.0.0.1:9\r\n' })),
      502,
      /no answer$/,
    ],
  ]
  for (const [title, behave, status, message] of cases) {
    upstream.behave = behave
    const before = upstream.arrivals.length
    const answer = await ask(`${WIDEVINE}?ExpressPlayToken=${'secret'.repeat(9)}`)
    t.equal(answer.status, status, title)
    t.equal(answer.headers.get('access-control-allow-origin'), '*', title)
    t.notOk(answer.headers.has('location'))
    t.match(await errorOf(answer), { code: -2030, message }, title)
    const soap = await ask(PLAYREADY)
    t.equal(soap.status, 500, title)
    t.match(await soap.text(), /<StatusCode>0x8004C604<.*"code":-2030/s, title)
    t.equal(upstream.arrivals.length, before + 2, title)
  }
  await upstream.stop()
  const refused = await ask(WIDEVINE)
  t.equal(refused.status, 502)
  t.match(await errorOf(refused), { code: -2030, message: /cannot be reached$/ })
  const log = gateway.log.join('\n')
  t.match(log, /"drm":"widevine","environment":"test","failure":"not reached","reason":"ECONNREFUSED"/)
  t.notMatch(log, 'secretsecret')
  t.equal(
    await gateway.metric('expressplay_licences_forwarded_total{drm="playready",environment="test",status="none"}'),
    8,
  )
})

t.test('an answer that breaks off never looks whole', async t => {
  const { ask, upstream } = await stage(t, hangs)
  const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'
  for (const [title, behave] of [
    ['shorter than it says', endsEarly(licenceAnswer().slice(0, -100))],
    ['chunks without an end', ends(chunked)],
    ['silence in the middle', says(chunked)],
  ] as const) {
    upstream.behave = behave
    const answer = await ask(WIDEVINE)
    t.equal(answer.status, 200, title)
    await t.rejects(answer.arrayBuffer(), title)
  }
})

t.test('a large answer flows as fast as the player reads it', async t => {
  const size = 64 * 1024 * 1024
  const block = randomBytes(65_536)
  let sent = 0
  const { gateway, upstream } = await stage(
    t,
    ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`)
      const send = () => {
        while (sent < size) {
          sent += block.length
          if (!socket.write(block)) return
        }
      }
      socket.on('drain', send)
      send()
    },
    { UPSTREAM_TIMEOUT: 10_000 },
  )
  const player = connect(Number(new URL(gateway.url).port), '127.0.0.1').pause()
  player.write(`POST ${WIDEVINE} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
  await eventually(() => sent > 0, 'an answer')
  let before = -1
  await eventually(() => {
    const stands = sent === before && lastOf(upstream).socket.writableNeedDrain
    before = sent
    return stands
  }, 'the upstream waits')
  t.ok(sent < size / 2, `${sent} bytes are on their way to a player that reads nothing`)

  const hash = createHash('sha256')
  let read = 0
  let inBody = false
  for await (const chunk of player as AsyncIterable<Buffer>) {
    const body = inBody ? chunk : chunk.subarray(chunk.indexOf('\r\n\r\n') + 4)
    inBody = true
    read += body.length
    hash.update(body)
  }
  t.equal(read, size)
  const whole = createHash('sha256')
  for (let at = 0; at < size; at += block.length) whole.update(block)
  t.equal(hash.digest('hex'), whole.digest('hex'))
})

t.test('who leaves takes the request to the upstream along', async t => {
  const { gateway, upstream } = await stage(t, hangs, {
    UPSTREAM_TIMEOUT: 20_000,
    UPSTREAM_CONNECTIONS: 1,
    UPSTREAM_QUEUE: 1,
  })
  const leaving = new AbortController()
  const ask = (signal?: AbortSignal) =>
    fetch(gateway.url + WIDEVINE, { method: 'POST', body: 'x', ...(signal === undefined ? {} : { signal }) })
  const first = ask(leaving.signal)
  await eventually(() => upstream.arrivals.length === 1, 'a request')
  const others = [ask(leaving.signal), ask(leaving.signal)]
  const full = await Promise.race(others)
  t.equal(full.status, 503, 'one waits, the other may not')
  t.equal(full.headers.get('retry-after'), '1')
  t.match(await errorOf(full), { code: -2030, message: /too many requests wait for the licence server$/ })

  const closed = once(lastOf(upstream).socket, 'close')
  leaving.abort()
  await Promise.allSettled([first, ...others])
  await closed
  upstream.behave = answers
  t.equal((await ask()).status, 200, 'the place is free again')
  t.equal(upstream.arrivals.length, 2, 'who left the line was not asked for')
})

t.test('who leaves the line makes room in it, also where all came over one connection', async t => {
  const settings = { UPSTREAM_TIMEOUT: 50_000, UPSTREAM_CONNECTIONS: 1, UPSTREAM_QUEUE: 3 }
  const { gateway, upstream } = await stage(t, hangs, settings)
  const ask = (signal?: AbortSignal) =>
    fetch(gateway.url + WIDEVINE, { method: 'POST', body: 'x', ...(signal === undefined ? {} : { signal }) })
  const isFull = () =>
    ask(AbortSignal.timeout(100)).then(
      ({ status }) => status === 503,
      () => false, // it waited for its turn
    )
  const first = ask()
  await eventually(() => upstream.arrivals.length === 1, 'a request')
  const leaving = connect(Number(new URL(gateway.url).port), '127.0.0.1')
  leaving.write(`POST ${WIDEVINE} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx`.repeat(3))
  await eventually(isFull, 'a line')
  leaving.destroy()
  await eventually(async () => !(await isFull()), 'room')

  upstream.behave = answers
  lastOf(upstream).socket.write(licenceAnswer(), 'latin1')
  t.equal((await first).status, 200)
  t.equal((await ask()).status, 200)
  t.equal(upstream.arrivals.length, 2, 'nobody else was asked for')
})

t.test('connecting is a part of UPSTREAM_TIMEOUT, however long it may take by itself', async t => {
  const UPSTREAM_TEST_LICENCE_URL = await startSilent(t)
  const { ask } = await stage(t, answers, { UPSTREAM_TEST_LICENCE_URL, UPSTREAM_CONNECT_TIMEOUT: 60_000 })
  const late = await ask(WIDEVINE)
  t.equal(late.status, 504)
  t.match(await errorOf(late), { code: -2030, message: /was not reached in time$/ })
})

t.test('preflights are answered here', async t => {
  const { upstream, gateway } = await stage(t, hangs)
  for (const path of [WIDEVINE, '/hms/wv/rights', '/hms/fp/rights/', '/hms/ck/rights/', PLAYREADY]) {
    const asked = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'expressplaytoken' }
    const answer = await fetch(gateway.url + path, { method: 'OPTIONS', headers: { ...PLAYER, ...asked } })
    t.equal(answer.status, 204, path)
    t.equal(answer.headers.get('access-control-allow-headers'), 'expressplaytoken')
  }
  t.equal((await fetch(gateway.url + WIDEVINE)).status, 405)
  t.equal(upstream.connections, 0)
})
