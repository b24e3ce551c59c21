import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { appWith } from '../app.js'
import { errorOf, form, startTestServer } from '../harness.js'

t.test('without errorFormat the Accept header says whether an error is JSON', async t => {
  const server = await startTestServer(t)
  for (const [accept, type] of [
    ['application/json', 'application/json'],
    ['application/json;q=0.9, */*', 'application/json'],
    ['application/json, text/html', 'text/html; charset=utf-8'],
    ['application/json, text/html;q=0', 'application/json'],
    ['application/json;q=0', 'text/html; charset=utf-8'],
    ['*/*', 'text/html; charset=utf-8'],
  ] as const) {
    for (const path of ['/hms/pr/token?kid=x', '/cmiapi/getrecord/', '/nowhere']) {
      const answer = await fetch(`${server.url}${path}`, { headers: { accept } })
      t.equal(answer.headers.get('content-type'), type, `${path}, ${accept}`)
    }
    const asked = await server.get({ kid: null, errorFormat: 'html' }, { accept })
    t.equal(asked.headers.get('content-type'), 'text/html; charset=utf-8', 'errorFormat comes first')
  }
})

t.test('what HTTP itself refuses is told in the form that was asked for', async t => {
  const server = await startTestServer(t, { settings: { BODY_LIMIT: 2048 } })
  const url = `${server.url}/hms/pr/token`
  const cases: { title: string; url: string; init?: RequestInit; status: number; allow?: string }[] = [
    { title: 'a wrong path', url: `${server.url}/hms/pr/tokens`, status: 404 },
    { title: 'a file of the docs that is not there', url: `${server.url}/docs/static/nope`, status: 404 },
    { title: 'the root', url: `${server.url}/`, status: 404 },
    { title: 'PUT', url, init: { method: 'PUT', body: form({ errorFormat: null }) }, status: 405, allow: 'GET, POST' },
    {
      title: 'PUT to the path in another spelling',
      url: `${server.url}/hms/pr/%74oken`,
      init: { method: 'PUT' },
      status: 405,
      allow: 'GET, POST',
    },
    {
      title: 'a range that is not there',
      url: `${server.url}/docs/static/swagger-ui.css`,
      init: { headers: { range: 'bytes=99999999-' } },
      status: 416,
    },
    { title: 'DELETE', url, init: { method: 'DELETE' }, status: 405, allow: 'GET, POST' },
    {
      title: 'POST to a page that is read only',
      url: `${server.url}/metrics`,
      init: { method: 'POST' },
      status: 405,
      allow: 'GET, HEAD',
    },
    {
      title: 'a JSON body',
      url,
      init: { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } },
      status: 415,
    },
    {
      title: 'a malformed content type',
      url,
      init: { method: 'POST', body: 'a=b', headers: { 'content-type': 'nonsense' } },
      status: 415,
    },
    {
      title: 'a body over the limit',
      url,
      init: { method: 'POST', body: form({ errorFormat: null, cookie: 'x'.repeat(3000) }) },
      status: 413,
    },
    { title: 'a path that is no URL', url: `${server.url}/%zz`, status: 400 },
  ]
  for (const { title, url, init, status, allow } of cases) {
    const asJson = await fetch(`${url}?errorFormat=json`, init)
    t.equal(asJson.status, status, title)
    t.equal(asJson.headers.get('content-type'), 'application/json')
    t.equal(asJson.headers.get('allow'), allow ?? null)
    t.equal(asJson.headers.get('cache-control'), 'no-store')
    const error = await errorOf(asJson)
    t.equal(error.code, status)
    t.equal(error.requestId, asJson.headers.get('x-request-id'))

    const asHtml = await fetch(url, init)
    t.equal(asHtml.status, status)
    t.equal(asHtml.headers.get('content-type'), 'text/html; charset=utf-8')
    t.match(await asHtml.text(), new RegExp(`<!doctype html>.*${status}.*${asHtml.headers.get('x-request-id')}`, 's'))
  }
})

t.test('an unknown path below an API that speaks JSON is refused in its JSON', async t => {
  const server = await startTestServer(t)
  const gateway = await startTestServer(t, { settings: { ADMIN_TOKEN: 'a-token-of-the-tests-0123456789' } })
  const plain = { code: 404, message: '[404] Not found' }
  for (const [url, init, expected] of [
    [`${server.url}/tools/nope`, {}, plain],
    [`${server.url}/tools/nope`, { method: 'POST', body: '{' }, plain],
    [`${server.url}/hms/ck/rights/nope`, {}, plain],
    [`${server.url}/playready/nope`, {}, plain],
    [`${server.url}/admin/api/nope`, {}, plain],
    [`${gateway.url}/admin/api/nope`, {}, { code: 401 }],
    [`${server.url}/keystore/nope`, {}, { code: 404, message: 'Not found', requestId: undefined }],
    [`${server.url}/keystore/keycount`, { method: 'PUT' }, { code: 405, requestId: undefined }],
  ] as const) {
    const answer = await fetch(url, { headers: { accept: 'text/html' }, ...init })
    t.equal(answer.headers.get('content-type'), 'application/json', url)
    t.match(await errorOf(answer), expected, url)
  }
})

t.test('where nobody may administer, /admin/api says so in JSON', async t => {
  const { app } = await appWith(t, { upstream: 'http://127.0.0.1:9' })
  const answer = await app.inject({ url: '/admin/api/accounts', headers: { accept: 'text/html' } })
  t.match(answer, { statusCode: 404, headers: { 'content-type': 'application/json' } })
})

t.test('a HEAD request costs no token', async t => {
  const server = await startTestServer(t)
  const head = await fetch(`${server.url}/hms/pr/token?${form()}`, { method: 'HEAD' })
  t.match(head, { status: 405 })
  t.equal((await fetch(`${server.url}/healthz`, { method: 'HEAD' })).status, 200)
})

t.test('the HTML error escapes all that came from the request', async t => {
  const server = await startTestServer(t)
  const evil = `<script>alert("1")</script>'&`
  const page = await (await server.get({ errorFormat: evil })).text()
  t.notMatch(page, '<script>')
  t.match(page, '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;')
  const response = await server.get({ errorFormat: null, kid: 'short' })
  t.equal(response.headers.get('content-type'), 'text/html; charset=utf-8', 'HTML is the default')
  t.match(response.headers.get('content-security-policy'), "default-src 'none'")
  t.match(await response.text(), /-4020.*kid must be 32 hexadecimal characters long/s)
})

t.test('the error format is found in the body, too', async t => {
  const server = await startTestServer(t)
  t.match(await errorOf(await server.post({ kid: null })), { code: -4018 })
  const contradiction = await fetch(`${server.url}/hms/pr/token?errorFormat=html`, { method: 'POST', body: form() })
  t.match(await contradiction.text(), /-3004/)
})

t.test('a secret in a path, however long, does not come into the log', async t => {
  const server = await startTestServer(t)
  await fetch(`${server.url}/${'a/'.repeat(90)}1ad8eed133edf43cbcc185f0236828ae/1ad8eed1.33edf43c.bcc185f0.236828ae`)
  t.match(server.log.at(-1), '/a/a/a/')
  t.notMatch(server.log.at(-1), '1ad8')
})

t.test('the time for a body full of unknown names does not grow with the square of their number', async t => {
  const server = await startTestServer(t, { settings: { BODY_LIMIT: 1_048_576 } })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const timeFor = async (names: number) => {
    const body = Array.from({ length: names }, (_, index) => index.toString(36)).join('&')
    const begin = performance.now()
    const response = await fetch(`${server.url}/hms/pr/token`, { method: 'POST', body, headers })
    t.equal(response.status, 401)
    return performance.now() - begin
  }
  // What is compiled at the first request counts for neither.
  await timeFor(1000)
  let [few, many] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let tries = 0; tries < 3; tries += 1) {
    few = Math.min(few, await timeFor(8750))
    many = Math.min(many, await timeFor(140_000))
  }
  t.ok(many < 64 * few, `sixteen times the names take ${(many / few).toFixed(1)} times as long, and not 256 times`)
})

t.test('bytes that are not HTTP are answered and the server goes on', async t => {
  const server = await startTestServer(t)
  for (const [bytes, status] of [
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['GET /hms/pr/token HTTP/9.9\r\n\r\n', 400],
    [`GET /hms/pr/token?${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
  ] as const)
    t.match(
      await exchange(server.url, bytes),
      new RegExp(`^HTTP/1.1 ${status} .*x-request-id: [\\w-]+\r\n.*Error ${status}`, 's'),
      JSON.stringify(bytes.slice(0, 30)),
    )
  t.equal((await server.get()).status, 200)
})

t.test('a request is one log line, with its id and without its query', async t => {
  const server = await startTestServer(t)
  const response = await server.get({ kid: 'x' }, { 'x-request-id': 'find-me' })
  t.equal(response.status, 400)
  const lines = server.log.map(line => JSON.parse(line) as object).filter(line => 'requestId' in line)
  t.match(lines, [{ requestId: 'find-me', method: 'GET', route: '/hms/pr/token', status: 400, errorCode: -4020 }])
  await fetch(`${server.url}/hms/pr/1ad8eed133edf43cbcc185f0236828ae?x=1`)
  t.match(
    JSON.parse(server.log.at(-1) ?? ''),
    { status: 404, path: '/hms/pr/…' },
    'a path may hold a secret by mistake',
  )
})

t.test('a path that is no URL, and what is no HTTP, count like every request', async t => {
  const server = await startTestServer(t, { settings: { RATE_LIMIT_PER_ADDRESS: 2 } })
  t.equal((await fetch(`${server.url}/%zz`)).status, 400)
  t.equal((await fetch(`${server.url}/%zz?errorFormat=json`)).status, 400)
  const limited = await fetch(`${server.url}/%zz?errorFormat=json`)
  t.equal(limited.status, 429)
  t.match(await errorOf(limited), { code: 429 })
  t.match(await exchange(server.url, 'no HTTP\r\n\r\n'), /^HTTP\/1\.1 429 .*retry-after: \d+\r\n.*Error 429/s)
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  t.match(metrics, 'duration_seconds_count{route="invalid",status="400"} 2')
  t.match(metrics, 'duration_seconds_count{route="invalid",status="429"} 2')
  const lines = server.log.filter(line => line.includes('"answered"') && line.includes('"invalid"'))
  t.same(
    lines.map(line => JSON.parse(line).status),
    [400, 400, 429, 429],
  )
})

t.test('a request has one Host header', async t => {
  const { url } = await startTestServer(t)
  const line = 'GET /hms/pr/token?errorFormat=json HTTP/1.'
  for (const [title, version, hosts] of [
    ['two of them', 1, 'Host: a.test.example\r\nHost: b.service.example\r\n'],
    ['twice the same', 1, 'Host: a\r\nhost: a\r\n'],
    ['two before HTTP/1.1', 0, 'Host: a\r\nHost: b\r\n'],
    ['none', 1, ''],
  ] as const)
    t.match(await exchange(url, `${line}${version}\r\n${hosts}\r\n`), /^HTTP\/1\.1 400 .*"code":400,.*Host/s, title)
  t.match(await exchange(url, `${line}0\r\n\r\n`), /^HTTP\/1\.1 401 .*-2017/s, 'HTTP/1.0 has none')
})

t.test('a compressed body is refused in the form of the endpoint, and never read as text', async t => {
  const server = await startTestServer(t)
  const body = gzipSync(form({ errorFormat: null }).toString())
  const authenticator = `customerAuthenticator=${form().get('customerAuthenticator')}`
  const headers = { 'content-encoding': 'gzip', 'content-type': 'application/x-www-form-urlencoded' }
  for (const [path, status, form] of [
    ['/hms/pr/token', 415, /<!doctype html>.*Error 415/s],
    ['/hms/pr/token?errorFormat=json', 415, /^\{"code":415,/],
    [`/keystore/keys?${authenticator}`, 415, /^\{"code":3,"message":"[^"]*"\}$/],
    ['/admin/api/accounts', 415, /^\{"code":415,/],
    ['/tools/pssh', 415, /^\{"code":415,/],
    ['/hms/ck/rights/', 415, /^\{"code":415,/],
    ['/playready/RightsManager.asmx', 500, /^<.*:Fault>.*415/s],
  ] as const) {
    const answer = await fetch(`${server.url}${path}`, { method: 'POST', body, headers })
    t.equal(answer.status, status, path)
    t.equal(answer.headers.get('accept-encoding'), 'identity')
    t.match(await answer.text(), form, path)
  }
  t.equal((await server.post({}, { 'content-encoding': 'identity' })).status, 200)
  t.equal((await server.get({}, { 'content-encoding': 'gzip' })).status, 200, 'where there is no body')
})

function exchange(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(Number(port), hostname, () => socket.end(bytes, 'latin1'))
    socket.on('data', chunk => {
      answer += chunk
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}
