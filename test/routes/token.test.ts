import { request } from 'node:http'
import t from 'tap'
import type { TokenAnswer } from '../../schemas/answers.js'
import { TOKEN_FAMILIES } from '../../src/drm/families.js'
import { outcomeOf } from '../../src/verify/answer-outcome.js'
import { sampleCases } from '../../src/verify/cases.js'
import { differences } from '../../src/verify/differences.js'
import {
  answerOf,
  authenticators,
  type Change,
  errorOf,
  form,
  NOON,
  startTestServer,
  type TestServer,
  tokenOf,
} from '../harness.js'
import { send } from '../keystore.js'

const DAY = 86_400_000
const PLAYREADY = '/playready/RightsManager.asmx'
const CLEAR_KEY = '/hms/ck/rights/'

for (const family of TOKEN_FAMILIES)
  t.test(`${family.title}: published samples get a token that says what was asked`, async t => {
    const server = await startTestServer(t)
    for (const { title, method, change, keys, expected } of sampleCases(family, authenticators)) {
      const answer = await answerOf(await server.request(family, method, change))
      t.strictSame(differences(expected, answer, family), [], `${title}, ${method}`)
      const outcome = outcomeOf(answer, family)
      const token = outcome.kind === 'a token' ? server.openToken(outcome.token) : undefined
      t.match(token, { keys, customerId: 201722, drm: family.drm }, title)
      t.equal(token?.keys.length, keys.length, title)
    }
  })

t.test('the answer has the documented form', async t => {
  const server = await startTestServer(t)
  const response = await server.get()
  t.equal(response.headers.get('content-type'), 'text/uri-list')
  t.equal(response.headers.get('cache-control'), 'no-store')
  t.match(response.headers.get('x-request-id'), /^[\w-]+$/)
  const body = await response.json()
  t.same(Object.keys(body as object), ['licenseAcquisitionUrl', 'token'])
  t.match(body, {
    token: /^[\w-]{222}$/,
    licenseAcquisitionUrl: /^http:\/\/127\.0\.0\.1:\d+\/playready\/RightsManager\.asmx$/,
  })

  for (const [accept, type] of [
    ['application/json', 'application/json'],
    ['text/html, application/json;q=0.9', 'application/json'],
    ['application/json;q=0', 'text/uri-list'],
    ['*/*', 'text/uri-list'],
    ['text/uri-list', 'text/uri-list'],
  ] as const)
    t.equal((await server.get({}, { accept })).headers.get('content-type'), type, `Accept: ${accept}`)

  const given = await server.get({}, { 'x-request-id': 'from-the-caller.1' })
  t.equal(given.headers.get('x-request-id'), 'from-the-caller.1')
  const odd = await server.get({}, { 'x-request-id': '<b>' })
  t.not(odd.headers.get('x-request-id'), '<b>', 'a request id that is no plain word is replaced')
})

t.test('every parameter reaches the token', async t => {
  const server = await startTestServer(t)
  const change = {
    kid: '^Ünï ☃',
    contentKey: 'AABBCCDDEEFF00112233445566778899',
    algId: 'aescbc',
    rightsType: 'Rental',
    generalFlags: '00000001',
    'rental.periodEndTime': '2026-06-04T14:12:01.250Z',
    'rental.playDuration': '2147483647',
    analogVideoOPL: '1',
    compressedDigitalAudioOPL: '20',
    compressedDigitalVideoOPL: '300',
    uncompressedDigitalAudioOPL: '999',
    uncompressedDigitalVideoOPL: '007',
    unknownOutputBehavior: 'SDOnly',
    outputControlFlags: '0000FFAA',
    extensionType: 'wudo',
    extensionPayload: '+/8=',
    minCertSecurityLevel: '3000',
    expirationTime: '+90',
    deviceId: '00112233445566778899AABBCCDDEEFF',
    ipAddress: '2001:db8::1',
    cookie: 'ключ ☃ 𝒳 <b>&"\'',
  }
  for (const method of ['get', 'post'] as const) {
    const token = server.openToken(await tokenOf(await server[method](change)))
    t.match(token, {
      environment: 'test',
      issuedAt: NOON,
      expiresAt: NOON + 90_000,
      deviceId: '00112233445566778899aabbccddeeff',
      ipAddress: '2001:db8::1',
      cookie: change.cookie,
    })
    t.same(token?.keys, [
      {
        kid: '91e9878178b8da32673871c654923d70',
        contentKey: 'aabbccddeeff00112233445566778899',
        algId: 'aescbc',
        policy: {
          rightsType: 'Rental',
          generalFlags: '00000001',
          'rental.periodEndTime': Date.UTC(2026, 5, 4, 14, 12, 1, 250),
          'rental.playDuration': 2147483647,
          analogVideoOPL: 1,
          compressedDigitalAudioOPL: 20,
          compressedDigitalVideoOPL: 300,
          uncompressedDigitalAudioOPL: 999,
          uncompressedDigitalVideoOPL: 7,
          unknownOutputBehavior: 'SDOnly',
          outputControlFlags: '0000ffaa',
          extensionType: 'wudo',
          extensionPayload: Buffer.from('+/8=', 'base64'),
          minCertSecurityLevel: 3000,
        },
      },
    ])
  }
})

t.test('a token lives 30 days, or shorter when asked', async t => {
  const server = await startTestServer(t)
  const expiry = async (change: Change) => server.openToken(await tokenOf(await server.get(change)))?.expiresAt
  t.equal(await expiry({}), NOON + 30 * DAY, 'by default')
  t.equal(await expiry({ expirationTime: '+2592000' }), NOON + 30 * DAY, 'at most')
  t.equal(await expiry({ expirationTime: '2026-06-01T12:00:01Z' }), NOON + 1000)
  t.equal(await expiry({ expirationTime: ' 60' }), NOON + 60_000, 'a plus that became a space')
  const rental = { rightsType: 'Rental', generalFlags: '00000001', 'rental.periodEndTime': ' 7200' }
  const rented = server.openToken(await tokenOf(await server.get(rental)))
  t.equal(rented?.keys[0]?.policy['rental.periodEndTime'], NOON + 7_200_000)
})

t.test('several keys: a bare parameter is for all, a numbered one for its own', async t => {
  const server = await startTestServer(t)
  const numbered = Object.fromEntries(
    Array.from({ length: 16 }, (_, index) => [
      [`kid.${index}`, `^key ${index}`],
      [`contentKey.${index}`, index.toString(16).padStart(32, '0')],
    ]).flat(),
  )
  const change = { ...numbered, kid: null, contentKey: null, 'analogVideoOPL.15': '100', 'algId.3': 'aescbc' }
  const token = server.openToken(await tokenOf(await server.post(change)))
  t.equal(token?.keys.length, 16)
  t.match(token?.keys[15], { contentKey: '0000000000000000000000000000000f', policy: { analogVideoOPL: 100 } })
  t.match(token?.keys[3], { algId: 'aescbc', policy: { analogVideoOPL: 0 } })

  const seventeenth = { ...change, 'kid.16': '^key 16', 'contentKey.16': '0'.repeat(32) }
  t.match(await errorOf(await server.post(seventeenth)), { code: -4022, parameter: 'kid.16' })
  const one = { ...change, 'useHttps.7': '1' }
  t.match(await (await server.post(one)).json(), { licenseAcquisitionUrl: /^https:/ }, 'there is one URL')
  for (const other of ['false', '0']) {
    const differing = { ...one, 'useHttps.8': other }
    t.match(await errorOf(await server.post(differing)), { code: -2034, parameter: 'useHttps' })
  }
  t.equal((await server.post({ ...one, 'useHttps.8': 'true' })).status, 200, 'the same in other words')
})

t.test('unknown parameters are ignored and named, with what they were probably meant to be', async t => {
  const server = await startTestServer(t)
  const ignored = async (change: Change) => (await server.get(change)).headers.get('x-ignored-parameters')
  t.equal(await ignored({ prFlag: '1', cokie: 'a' }), 'prFlag, cokie (did you mean cookie?)')
  t.equal(await ignored({ DeviceID: '1' }), 'DeviceID (did you mean deviceId?)')
  t.equal(await ignored({ 'kid.01': '1', 'contentkey.2': '' }), 'kid.01, contentkey.2 (did you mean contentKey.2?)')
  t.equal(
    await ignored({ 'deviceId.0': '1' }),
    'deviceId.0 (did you mean deviceId?)',
    'only licence parameters can be numbered',
  )
  t.equal(await ignored({ '<b>\r\nx: y': '1' }), '%3Cb%3E%0D%0Ax%3A%20y')
  t.equal(await ignored({ __proto__x: '1', constructor: '2' }), '__proto__x, constructor')
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`unknown-${index}`, '']))
  t.match(await ignored(many), /unknown-15, and 4 more$/)

  const misspelt = await server.get({ analogVideoOPL: null, analogVideoOpl: '0' })
  t.match(await errorOf(misspelt), { code: -5006, message: /analogVideoOPL.*did you mean analogVideoOPL/ })
  t.equal(misspelt.headers.get('x-ignored-parameters'), 'analogVideoOpl (did you mean analogVideoOPL?)')
})

t.test('parameters may stand in the query and in the body of a POST', async t => {
  const server = await startTestServer(t)
  const ask = async (query: string, body: Change) => {
    const response = await fetch(`${server.url}/hms/pr/token?${query}`, {
      method: 'POST',
      body: form(body),
    })
    return response.ok ? 200 : (await errorOf(response)).code
  }
  t.equal(await ask('errorFormat=json', {}), 200, 'the same value in both')
  t.equal(await ask('rightsType=BuyToOwn', { rightsType: null }), 200, 'in the query alone')
  t.equal(await ask('rightsType=Rental', {}), -2021, 'different values')
  t.equal(await ask('kid=00000000000000000000000000000000', {}), -4022)
  const bodyless = await fetch(`${server.url}/hms/pr/token?${form()}`, { method: 'POST' })
  t.equal(bodyless.status, 200, 'a POST without a body, all in the query')
})

t.test('the balance falls by one per token and by nothing else', async t => {
  const server = await startTestServer(t)
  const account = { customerAuthenticator: '5,00000000000000000000000000000005' }
  t.equal((await server.get({ ...account, kid: 'x' })).status, 400, 'refused: costs nothing')
  t.equal((await server.get({ ...account, cookie: 'x'.repeat(33) })).status, 400)
  const answers = await Promise.all(Array.from({ length: 10 }, () => server.get(account)))
  t.equal(answers.filter(({ status }) => status === 200).length, 3, 'of ten requests at once three get a token')
  t.match(await errorOf(await server.get(account)), { code: -2019, message: 'Insufficient tokens available' })
})

t.test('the Host header decides between test and production', async t => {
  const server = await startTestServer(t)
  const ask = async (host: string, customerAuthenticator: string) => {
    const parameters = form({ customerAuthenticator })
    return new Promise<{ status: number; body: string }>((resolve, reject) => {
      request(`${server.url}/hms/pr/token?${parameters}`, { headers: { host } }, response => {
        let body = ''
        response.on('data', chunk => {
          body += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      })
        .on('error', reject)
        .end()
    })
  }
  const [forTest, forProduction] = [
    '201722,1ad8eed133edf43cbcc185f0236828ae',
    '201722,6d1f0c5e9b3f4826a1e7c0d95b64f213',
  ]
  for (const [host, right, wrong, environment] of [
    ['pr-gen.test.expressplay.com', forTest, forProduction, 'test'],
    ['pr-gen.service.expressplay.com', forProduction, forTest, 'production'],
    ['PR-GEN.SERVICE.EXPRESSPLAY.COM', forProduction, forTest, 'production'],
    ['pr-gen.service.expressplay.cn', forProduction, forTest, 'production'],
    ['localhost:8080', forTest, forProduction, 'test'],
  ] as const) {
    const { status, body } = await ask(host, right)
    t.equal(status, 200, host)
    const { token, licenseAcquisitionUrl } = JSON.parse(body) as Record<string, string> // checked below
    t.equal(licenseAcquisitionUrl, `http://${host.toLowerCase().replace('pr-gen', 'pr')}${PLAYREADY}`)
    t.equal(server.openToken(token ?? '')?.environment, environment)
    t.match(await ask(host, wrong), { status: 401, body: new RegExp(`not valid in the ${environment} environment`) })
  }
  t.match(await ask('"><script>', forTest), { status: 200, body: /"http:\/\/localhost\/playready/ })
})

t.test('a host that is none of the real service’s decides no environment, wherever it is asked', async t => {
  const names = [
    'drm.service.consul',
    'pr-gen.service.example.com',
    'pr-gen.service.expressplay.com.example.com',
    'expressplay-pr-gen.service.expressplay.com',
    'x.pr-gen.service.expressplay.com',
    'service.expressplay.com',
    '.service.hostedmarlin.com',
    'a.b.service.hostedmarlin.com',
  ]
  const authenticator = authenticators.own
  for (const [ENVIRONMENT, hosts] of [
    ['test', names],
    ['production', names.map(name => name.replace('service.h', 'eval.h').replace('service', 'test'))],
  ] as const) {
    const account = { id: 201722, authenticators: { [ENVIRONMENT]: authenticator } }
    const settings = { ENVIRONMENT, TRUSTED_PROXIES: '127.0.0.1' }
    const server = await startTestServer(t, { settings, accounts: [account] })
    const query = new URLSearchParams({ customerAuthenticator: authenticator })
    for (const host of hosts)
      for (const headers of [{ host }, { 'x-forwarded-host': host }]) {
        for (const path of [`hms/pr/token?${form()}`, `cmiapi/getrecord?${query}`, `keystore/keycount?${query}`])
          t.equal((await send(`${server.url}/${path}`, 'GET', headers)).status, 200, `${path}, ${host}`)
        const { body } = await send(`${server.url}/player/samples`, 'GET', headers)
        const parameters = { customerAuthenticator: ENVIRONMENT === 'test' ? authenticator : '' }
        t.match(JSON.parse(body), [{ parameters }], host)
      }
  }
})

t.test('each name of the real service decides the environment, wherever it is asked', async t => {
  const { own: test, production } = authenticators
  const server = await startTestServer(t, { settings: { ENVIRONMENT: 'production' } })
  const statusOf = async (path: string, customerAuthenticator: string | undefined, host: string) => {
    const query = new URLSearchParams({ customerAuthenticator: customerAuthenticator ?? '' })
    return (await send(`${server.url}/${path}?${query}`, 'GET', { host })).status
  }
  for (const [host, own, other] of [
    ['pr-gen.test.expressplay.com', test, production],
    ['wv-gen-2.test.expressplay.com', test, production],
    ['PR-gen.TEST.expressplay.com.:8443', test, production],
    ['pr2.test.expressplay.com', test, production],
    ['api.test.expressplay.com:443', test, production],
    ['api.test.expressplay.cn', test, production],
    ['cmi.eval.hostedmarlin.com', test, production],
    ['ms3-gen.service.hostedmarlin.com:8443', production, test],
    ['api.service.expressplay.cn', production, test],
    ['bb.service.expressplay.com', production, test],
    ['api.test.expressplay.org', production, test],
  ] as const)
    for (const path of ['cmiapi/getrecord', 'keystore/keycount'])
      t.same([await statusOf(path, own, host), await statusOf(path, other, host)], [200, 401], `${path}, ${host}`)
})

t.test('where the licence server is: by the host, useHttps and PUBLIC_URL', async t => {
  const urlsOf = async (server: TestServer, host: string | undefined, change: Change = {}) => {
    const headers = { accept: 'application/json', ...(host !== undefined && { 'x-forwarded-host': host }) }
    const response = await server.get({ playerConfig: 'true', ...change }, headers)
    const { licenseAcquisitionUrl, playerConfig } = (await response.json()) as TokenAnswer // checked below
    const clearKeyUrl = new URL(playerConfig?.clearkey?.eme.licenseRequest.url ?? '')
    t.equal(`${clearKeyUrl.origin}${clearKeyUrl.pathname}`, licenseAcquisitionUrl.replace(PLAYREADY, CLEAR_KEY))
    return licenseAcquisitionUrl
  }
  const plain = await startTestServer(t, { settings: { TRUSTED_PROXIES: '127.0.0.1' } })
  t.equal(await urlsOf(plain, undefined), `${plain.url}${PLAYREADY}`)
  for (const [useHttps, scheme] of [
    ['true', 'https'],
    ['1', 'https'],
    ['false', 'http'],
    ['0', 'http'],
  ] as const)
    t.equal(await urlsOf(plain, 'drm.example.com:8080', { useHttps }), `${scheme}://drm.example.com:8080${PLAYREADY}`)
  for (const useHttps of ['', 'yes', 'TRUE', '2', '01', ' 1'])
    t.match(await errorOf(await plain.get({ useHttps })), { code: -2034, parameter: 'useHttps' }, useHttps)

  const forProduction = { customerAuthenticator: authenticators.production ?? '' }
  for (const [host, named, change] of [
    ['pr-gen.test.expressplay.com', 'pr.test.expressplay.com', {}],
    ['pr-gen-2.test.expressplay.com', 'pr.test.expressplay.com', {}],
    ['PR-GEN.test.EXPRESSPLAY.com.', 'pr.test.expressplay.com', {}],
    ['pr-gen.test.expressplay.com:8443', 'pr.test.expressplay.com:8443', {}],
    ['pr-gen.service.expressplay.com', 'pr.service.expressplay.com', forProduction],
    ['pr-gen.service.expressplay.cn', 'pr.service.expressplay.cn', forProduction],
    ['pr-gen-2.service.expressplay.com', 'pr-gen-2.service.expressplay.com', {}],
    ['wv-gen.test.expressplay.com', 'wv-gen.test.expressplay.com', {}],
    ['pr.test.expressplay.com', 'pr.test.expressplay.com', {}],
    ['pr-gen.service.consul', 'pr-gen.service.consul', {}],
  ] as const)
    t.equal(await urlsOf(plain, host, change), `http://${named}${PLAYREADY}`, host)

  for (const PUBLIC_URL of ['https://drm.example.com:8443/play/', 'http://drm.example.com:8443/play']) {
    const server = await startTestServer(t, { settings: { PUBLIC_URL, TRUSTED_PROXIES: '127.0.0.1' } })
    const there = `://drm.example.com:8443/play${PLAYREADY}`
    t.equal(await urlsOf(server, 'pr-gen.test.expressplay.com'), `${PUBLIC_URL.replace(/:.*/, '')}${there}`)
    t.equal(await urlsOf(server, undefined, { useHttps: 'true' }), `https${there}`)
    t.equal(await urlsOf(server, undefined, { useHttps: 'false' }), `http${there}`)
  }
})

t.test('a production server by configuration', async t => {
  const server = await startTestServer(t, { settings: { ENVIRONMENT: 'production' } })
  t.equal((await server.get()).status, 401)
  t.equal((await server.get({ customerAuthenticator: '201722,6d1f0c5e9b3f4826a1e7c0d95b64f213' })).status, 200)
})

t.test('more numbers than there may be keys are refused as such, whatever stands under them', async t => {
  const { post } = await startTestServer(t)
  const numbers = Object.fromEntries(Array.from({ length: 18 }, (_, index) => [`ek.${index * 1000}`, 'x']))
  t.match(await errorOf(await post(numbers)), { code: -4022, parameter: 'kid.16', message: /at most 16 keys/ })
})
