import t, { type Test } from 'tap'
import { shownAccount } from '../../schemas/admin.js'
import type { RecordedEvent } from '../../schemas/records.js'
import { sampleParameters } from '../../src/sample.js'
import { type Administrator, administratorOf, bodyOf } from '../administrator.js'
import { errorOf, form, startTestServer, type TestServer } from '../harness.js'
import { keystoreOf, send } from '../keystore.js'

const CUSTOMER = 201722
const MINUTE = 60_000
const OTHER = '5,00000000000000000000000000000005'
const WRONG = '201722,00000000000000000000000000000000'
const ADMIN_TOKEN = 'a-token-of-32-characters-exactly'

interface World {
  readonly server: TestServer
  readonly admin: Administrator
  readonly clock: { up: number }
  /** The statuses of so many token requests, one after the other. */
  statuses(count: number, change?: Record<string, string>, headers?: Record<string, string>): Promise<number[]>
}

async function start(t: Test, settings: Record<string, string | number> = {}): Promise<World> {
  const clock = { up: 1000 }
  const server = await startTestServer(t, { settings: { ADMIN_TOKEN, ...settings }, uptime: () => clock.up })
  const statuses: World['statuses'] = async (count, change, headers) => {
    const found: number[] = []
    while (found.length < count) found.push((await server.get(change, headers)).status)
    return found
  }
  return { server, admin: administratorOf(server, ADMIN_TOKEN), clock, statuses }
}

function standingOf({ headers }: Response): (string | null)[] {
  return ['limit', 'remaining', 'reset'].map(name => headers.get(`x-ratelimit-${name}`))
}

/** How many requests were refused by this limit, as the metrics tell it. */
async function refusedBy({ url }: TestServer, limit: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^expressplay_rate_limited_total{limit="${limit}"} (\\d+)$`, 'm').exec(metrics)?.[1] ?? 0)
}

t.test('without a limit nothing is counted or told', async t => {
  const { server, statuses } = await start(t)
  t.same(new Set(await statuses(30)), new Set([200]))
  t.same(standingOf(await server.get()), [null, null, null])
})

t.test('an account may send so many requests a minute, whatever it asks', async t => {
  const { server, admin, clock, statuses } = await start(t, { RATE_LIMIT_PER_ACCOUNT: 7 })
  const records = () => {
    const query = new URLSearchParams({ customerAuthenticator: sampleParameters.customerAuthenticator })
    return fetch(`${server.url}/cmiapi/getrecord?${query}`)
  }
  t.same(standingOf(await server.get()), ['7', '6', '60'])
  clock.up += 20_500
  const bad = await server.get({ kid: 'short' })
  t.same([bad.status, standingOf(bad)], [400, ['7', '5', '40']], 'a wrong request counts, too')
  t.same(standingOf(await records()), ['7', '4', '40'])
  const count = await keystoreOf(server).get('/keycount')
  t.match(count, { status: 200, headers: { 'x-ratelimit-remaining': '3' } })

  const together = await Promise.all(Array.from({ length: 40 }, () => server.get()))
  t.equal(together.filter(({ status }) => status === 200).length, 3, 'exact among many at once')
  t.equal(together.filter(({ status }) => status === 429).length, 37)
  const refused = await server.get({ errorFormat: 'json' })
  t.same([refused.status, refused.headers.get('retry-after'), standingOf(refused)], [429, '40', ['7', '0', '40']])
  t.match(await errorOf(refused), { code: 429, message: /^\[429\] Too many requests of this account: 7 a minute/ })
  const html = await server.post({ errorFormat: 'html' })
  t.same([html.status, html.headers.get('content-type')], [429, 'text/html; charset=utf-8'])
  t.match(await html.text(), /Too many requests/)
  t.equal((await records()).status, 429)
  const keys = await keystoreOf(server).post('/keys', { body: {} })
  t.match(keys, { status: 429, headers: { 'retry-after': '40' } })
  t.match(JSON.parse(keys.body), { code: 429, message: /^Too many requests/ }, 'in the form of the key storage')
  t.equal(await refusedBy(server, 'account'), 41)

  t.same(await statuses(2, { customerAuthenticator: OTHER }), [200, 200], 'others have their own')
  const inProduction = await send(
    `${server.url}/hms/pr/token?${form({ customerAuthenticator: '201722,6d1f0c5e9b3f4826a1e7c0d95b64f213' })}`,
    'GET',
    { host: 'pr-gen.service.expressplay.com' },
  )
  t.match(inProduction, { status: 200, headers: { 'x-ratelimit-remaining': '6' } }, 'and so has production')
  server.keepSecret((JSON.parse(inProduction.body) as { token: string }).token) // it was issued

  clock.up += 39_499
  t.same(await statuses(1), [429])
  clock.up += 1
  const fresh = await records()
  t.same(standingOf(fresh), ['7', '6', '60'], 'all of it in the next minute')
  const { events } = (await fresh.json()) as { events: RecordedEvent[] } // the documented answer
  t.same(
    events.map(({ error_code }) => error_code),
    [0, 0, 0, -4020, 0],
    'what was too much is not in the log',
  )
  const shown = await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`))
  t.equal(shown.services.test.balance, 1_000_000 - 4, 'and cost nothing')
})

t.test('wrong authenticators use up the limit of their address, and nothing of an account', async t => {
  const { server, statuses } = await start(t, {
    RATE_LIMIT_PER_ACCOUNT: 3,
    RATE_LIMIT_PER_ADDRESS: 6,
    TRUSTED_PROXIES: '127.0.0.1',
  })
  const from = (address: string) => ({ 'x-forwarded-for': address })
  t.same(await statuses(7, { customerAuthenticator: WRONG }, from('192.0.2.1')), [...Array(6).fill(401), 429])
  t.same(await statuses(1, {}, from('192.0.2.1')), [429], 'also with the right one')
  const first = await server.get({}, from('192.0.2.2'))
  t.same(standingOf(first), ['3', '2', '60'], 'of two limits the one that is nearer to its end is told')
  t.same(await statuses(3, {}, from('192.0.2.2')), [200, 200, 429])
  t.same(standingOf(await server.get({}, from('192.0.2.2'))), ['3', '0', '60'])
  const last = await server.get({ customerAuthenticator: OTHER }, from('192.0.2.2'))
  t.same([last.status, standingOf(last)], [200, ['6', '0', '60']])
  t.same([await refusedBy(server, 'address'), await refusedBy(server, 'account')], [2, 2])
})

t.test('every address has its own limit, as proxies that are trusted tell it', async t => {
  const limited = { RATE_LIMIT_PER_ADDRESS: 2 }
  const { statuses } = await start(t, { ...limited, TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8' })
  const from = (address: string) => statuses(1, {}, { 'x-forwarded-for': address })
  for (const address of ['192.0.2.1', '2001:db8:0:1::1', 'unknown'])
    t.same([await from(address), await from(`198.51.100.7, ${address}, 10.1.2.3`)], [[200], [200]], address)
  t.same([await from('::ffff:192.0.2.1'), await from('192.0.2.2')], [[429], [200]])
  t.same([await from('2001:db8:0:1:ffff::2'), await from('2001:db8:0:2::1')], [[429], [200]], 'a network of IPv6')
  t.same(await from('something else'), [429])

  const untrusting = await start(t, limited)
  for (const [address, status] of Object.entries({ '192.0.2.1': 200, '192.0.2.2': 200, '192.0.2.3': 429 }))
    t.same(await untrusting.statuses(1, {}, { 'x-forwarded-for': address }), [status], address)
  untrusting.clock.up += MINUTE
  t.same(await untrusting.statuses(3), [200, 200, 429])
})

t.test('an address over its limit is refused everywhere, in the form that the endpoint has', async t => {
  const { server, admin, statuses } = await start(t, { RATE_LIMIT_PER_ADDRESS: 2 })
  const { url } = server
  t.equal((await admin.get('/accounts')).headers.get('x-ratelimit-remaining'), '1')
  t.equal((await fetch(`${url}/nowhere`)).headers.get('x-ratelimit-remaining'), '0')
  t.same(await statuses(1), [429])
  const json = { code: 429, message: '[429] Too many requests from this address: 2 a minute are allowed' }

  t.match(await errorOf(await server.get({ errorFormat: 'json' })), json)
  const stranger = administratorOf(server, 'not-the-token-of-the-admin')
  for (const { get } of [admin, stranger]) {
    const answer = await get('/accounts')
    t.same([answer.status, await errorOf(answer)], [429, { ...json, requestId: answer.headers.get('x-request-id') }])
  }
  t.match(await errorOf(await fetch(`${url}/tools/pssh`, { method: 'POST' })), json)
  const keys = await keystoreOf(server).get('/keys', { customerAuthenticator: WRONG })
  t.match([keys.status, JSON.parse(keys.body)], [429, { code: 429, message: json.message.replace('[429] ', '') }])
  for (const path of ['/nowhere', '/docs', '/player', '/openapi.json', '/cmiapi/getrecord'])
    t.equal((await fetch(url + path)).status, 429, path)

  const origin = 'https://player.example.com'
  const licence = await fetch(`${url}/hms/ck/rights/`, { method: 'POST', headers: { origin } })
  t.match([licence.status, await errorOf(licence)], [429, json])
  t.equal(licence.headers.get('access-control-allow-origin'), '*')
  t.match(licence.headers.get('access-control-expose-headers'), /retry-after, x-ratelimit-limit/)
  const preflight = { origin, 'access-control-request-method': 'POST' }
  const asked = await fetch(`${url}/hms/ck/rights/`, { method: 'OPTIONS', headers: preflight })
  t.equal(asked.status, 204, 'a browser asks by itself whether it may')
  const soap = await fetch(`${url}/playready/RightsManager.asmx`, { method: 'POST', body: 'anything' })
  t.same([soap.status, soap.headers.get('retry-after')], [500, '60'])
  t.match(await soap.text(), /<soap:Fault>.*Too many requests/)

  for (const path of ['/healthz', '/readyz', '/metrics']) {
    const answer = await fetch(url + path)
    t.same([answer.status, standingOf(answer)], [200, [null, null, null]], path)
  }
})

t.test("an account's own limit wins, and a change of it counts from the next request on", async t => {
  const { server, admin, statuses } = await start(t, { RATE_LIMIT_PER_ACCOUNT: 2 })
  const limit = async (requestsPerMinute: number | null) => {
    const answer = admin.patch(`/accounts/${CUSTOMER}`, { limits: { requestsPerMinute } })
    t.match(await bodyOf(shownAccount, answer), { limits: { requestsPerMinute, tokensPerDay: null } })
  }
  t.same(await statuses(3), [200, 200, 429])
  await limit(4)
  t.same(await statuses(3), [200, 200, 429], 'what was sent before counts')
  await limit(1)
  t.same(standingOf(await server.get()), ['1', '0', '60'])
  await limit(null)
  t.same(await statuses(1), [429])
  t.same(await statuses(3, { customerAuthenticator: OTHER }), [200, 200, 429])
  for (const limits of [
    {},
    { requestsPerMinute: 0 },
    { requestsPerMinute: 1.5 },
    { requestsPerMinute: 10_000_001 },
    { tokensPerDay: 0 },
    { tokensPerDay: 1_000_000_001 },
    { requestsPerHour: 1 },
    null,
  ]) {
    const answer = await admin.patch(`/accounts/${CUSTOMER}`, { limits })
    t.match([answer.status, await errorOf(answer)], [400, { parameter: 'limits' }], JSON.stringify(limits))
  }
})
