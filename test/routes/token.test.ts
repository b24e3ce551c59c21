import { request } from 'node:http'
import t from 'tap'
import { sampleCases } from '../../src/verify/cases.js'
import { differences } from '../../src/verify/differences.js'
import { answerOf, authenticators, type Change, errorOf, form, NOON, startTestServer, tokenOf } from '../harness.js'

const DAY = 86_400_000

t.test('published samples get a token that says what was asked', async t => {
  const server = await startTestServer(t)
  for (const { title, method, change, keys, expected } of sampleCases(authenticators)) {
    const response = await server[method](change)
    const answer = await answerOf(response.clone())
    t.strictSame(differences(expected, answer), [], `${title}, ${method}`)
    t.match(server.openToken(await tokenOf(response)), { keys, customerId: 201722, drm: 'playready' }, title)
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
    token: /^[\w-]{171}$/,
    licenseAcquisitionUrl: /^https:\/\/127\.0\.0\.1:\d+\/playready\/RightsManager\.asmx$/,
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
  const differing = { ...change, 'useHttps.0': 'false' }
  t.match(await errorOf(await server.post(differing)), { code: -2034, parameter: 'useHttps' })
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
    t.equal(licenseAcquisitionUrl, `https://${host}/playready/RightsManager.asmx`)
    t.equal(server.openToken(token ?? '')?.environment, environment)
    t.match(await ask(host, wrong), { status: 401, body: new RegExp(`not valid in the ${environment} environment`) })
  }
  t.match(await ask('"><script>', forTest), { status: 200, body: /"https:\/\/localhost\/playready/ })
})

t.test('where the licence server is: useHttps and PUBLIC_URL', async t => {
  const server = await startTestServer(t, { settings: { PUBLIC_URL: 'https://drm.example.com:8443/play/' } })
  const url = async (change: Change) => {
    const { licenseAcquisitionUrl } = (await (await server.get(change)).json()) as Record<string, string> // checked below
    return licenseAcquisitionUrl
  }
  t.equal(await url({}), 'https://drm.example.com:8443/play/playready/RightsManager.asmx')
  t.equal(await url({ useHttps: 'true' }), 'https://drm.example.com:8443/play/playready/RightsManager.asmx')
  t.equal(await url({ useHttps: 'false' }), 'http://drm.example.com:8443/play/playready/RightsManager.asmx')
})

t.test('a production server by configuration', async t => {
  const server = await startTestServer(t, { settings: { ENVIRONMENT: 'production' } })
  t.equal((await server.get()).status, 401)
  t.equal((await server.get({ customerAuthenticator: '201722,6d1f0c5e9b3f4826a1e7c0d95b64f213' })).status, 200)
})
