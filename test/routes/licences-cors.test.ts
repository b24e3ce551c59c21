import t, { type Test } from 'tap'
import { clearKeyBody, KID, startLicenceServer } from '../redeeming.js'

const PATHS = [
  '/hms/ck/rights/',
  '/hms/ck/rights',
  '/hms/wv/rights/',
  '/hms/fp/rights/',
  '/playready/RightsManager.asmx',
]
const PLAYER = 'https://player.example.com'

function serverFor(t: Test, CORS_ORIGINS: string) {
  return startLicenceServer(t, { settings: { CORS_ORIGINS } })
}

function preflight(url: string, origin: string): Promise<Response> {
  const asked = 'content-type,expressplaytoken,x-device-id,soapaction'
  const headers = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': asked }
  return fetch(url, { method: 'OPTIONS', headers })
}

t.test('a preflight is answered on every licence endpoint', async t => {
  const { url } = await serverFor(t, '*')
  for (const path of PATHS) {
    const answer = await preflight(`${url}${path}?ExpressPlayToken=x`, PLAYER)
    t.equal(answer.status, 204, path)
    t.match(Object.fromEntries(answer.headers), {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'content-type,expressplaytoken,x-device-id,soapaction',
      'access-control-max-age': '7200',
    })
  }
})

t.test('a player sees licences, refusals and their request ids', async t => {
  const server = await serverFor(t, '*')
  const headers = { origin: PLAYER }
  const token = server.seal()
  const answers: [status: number, answer: Response][] = [
    [200, await server.ask('/hms/ck/rights/', { token, body: clearKeyBody(KID), headers })],
    [400, await server.ask('/hms/ck/rights/', { token, headers })],
    [403, await server.ask('/hms/wv/rights/', { headers })],
    [500, await server.ask('/playready/RightsManager.asmx', { headers })],
    [413, await server.ask('/hms/ck/rights/', { body: 'x'.repeat(70_000), headers })],
    [405, await fetch(`${server.url}/hms/ck/rights/`, { headers })],
    [404, await fetch(`${server.url}/playready/other`, { headers })],
  ]
  const exposed =
    'x-request-id, retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-emulated-fault'
  for (const [status, answer] of answers) {
    t.equal(answer.status, status)
    t.equal(answer.headers.get('access-control-allow-origin'), '*')
    t.equal(answer.headers.get('access-control-expose-headers'), exposed)
    t.ok(answer.headers.get('x-request-id'))
  }
})

t.test('only the players of the sites that are named', async t => {
  const server = await serverFor(t, `${PLAYER}, http://localhost:9000`)
  for (const [origin, allowed] of [
    [PLAYER, PLAYER],
    ['http://localhost:9000', 'http://localhost:9000'],
    ['http://localhost:9001', null],
    ['https://player.example.com.evil.example', null],
    ['null', null],
  ] as const) {
    const answers = [
      await preflight(`${server.url}/hms/ck/rights/`, origin),
      await server.ask('/hms/ck/rights/', { headers: { origin } }),
      await fetch(`${server.url}/hms/ck/rights/`, { headers: { origin } }),
    ]
    for (const answer of answers) {
      t.equal(answer.headers.get('access-control-allow-origin'), allowed, origin)
      t.match(answer.headers.get('vary'), /Origin/i, 'a cache must tell them apart')
    }
  }
})

t.test('nothing else is open to other sites', async t => {
  const server = await serverFor(t, '*')
  for (const path of [
    '/hms/pr/token',
    '/cmiapi/getrecord/',
    '/keystore/keys',
    '/admin/api/accounts',
    '/hms/',
    '/metrics',
  ]) {
    const answers = [
      await preflight(`${server.url}${path}`, PLAYER),
      await fetch(`${server.url}${path}`, { headers: { origin: PLAYER } }),
    ]
    for (const answer of answers) t.equal(answer.headers.get('access-control-allow-origin'), null, path)
  }
})
