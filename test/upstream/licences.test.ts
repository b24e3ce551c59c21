import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { TokenAnswer } from '../../schemas/answers.js'
import { pooledRandomness } from '../../src/ground/randomness.js'
import { sampleParameters } from '../../src/sample.js'
import type { TokenContent } from '../../src/tokens/token-content.js'
import { TokenVault } from '../../src/tokens/vault.js'
import { FAMILIES } from '../families.js'
import { errorOf } from '../harness.js'
import { startCommand } from '../process.js'
import { clearKeyBody, DEVICE, encoded, KID, OTHER_KID, playreadyBody, tokenKey } from '../redeeming.js'
import { type Gateway, LOCAL, REAL, startGateway, tokenIn } from './gateway.js'
import { answerOf, issues, says, startHostile, tokenNumber } from './hostile.js'

const TOKEN_KEYS = 'a5'.repeat(32)
const vault = new TokenVault([Buffer.from(TOKEN_KEYS, 'hex')], pooledRandomness())

/** The service that the gateway is in front of: an emulator in a process of its own, which believes the gateway. */
async function startEmulator(t: Test, ENVIRONMENT = 'test'): Promise<string> {
  const account = { id: 777, authenticators: REAL }
  const folder = t.testdir({ 'accounts.json': JSON.stringify({ accounts: [account] }) })
  const ACCOUNTS_FILE = join(folder, 'accounts.json')
  const settings = { ACCOUNTS_FILE, TOKEN_KEYS, ENVIRONMENT, DATA_DIR: '', PORT: '0', TRUSTED_PROXIES: '127.0.0.1' }
  const [, url = ''] = await startCommand(t, ['serve'], settings).printed(/"url":"(http:\/\/127\.0\.0\.1:\d+)"/)
  return url
}

const emulator = await startEmulator(t)

function gatewayFor(t: Test, settings = {}): Promise<Gateway> {
  return startGateway(t, emulator, { HIDE_UPSTREAM: 'true', ...settings }, Date.now)
}

/** A token that the emulator takes for its own. */
function seal(gateway: Gateway, content: Partial<TokenContent>): string {
  const issuedAt = Date.now() - 60_000
  const plain = { drm: 'playready', environment: 'test', issuedAt, expiresAt: issuedAt + 3_600_000 } as const
  const whole = { ...plain, keys: [tokenKey(KID)], ...content }
  const { token } = vault.seal({ customerId: 777, style: '2021', version: 8 }, encoded(whole))
  gateway.keepSecret(token)
  return token
}

async function tokenFor(gateway: Gateway, change: Record<string, string> = {}, host?: string): Promise<TokenAnswer> {
  const order = { customerAuthenticator: LOCAL.test, kid: KID, useHttps: 'false', playerConfig: 'true', ...change }
  const headers = { accept: 'application/json', ...(host === undefined ? {} : { 'x-forwarded-host': host }) }
  const response = await gateway.post(order, headers)
  return (await response.json()) as TokenAnswer // what the tests check is in it
}

/** The KID of the sample as PlayReady writes it: the first three fields are little-endian. */
const SAMPLE_KID = 'DTZmsy6obpwLCYQAKjYs8g=='

function post(url: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method: 'POST', body, headers })
}

const licence = { keys: [{ kty: 'oct', kid: 'M0tdPUT1T1akEOB8qqcWDg' }], type: 'temporary' }

t.test('a token and its licences, and the player talks to nobody but the gateway', async t => {
  const gateway = await gatewayFor(t)
  const { licenseAcquisitionUrl, token, playerConfig } = await tokenFor(gateway)
  t.equal(licenseAcquisitionUrl, `${gateway.url}/playready/RightsManager.asmx`)

  const clearKeyUrl = playerConfig?.clearkey?.eme.licenseRequest.url ?? ''
  t.equal(clearKeyUrl, `${gateway.url}/hms/ck/rights/?ExpressPlayToken=${token}`)
  t.match(await (await post(clearKeyUrl, clearKeyBody(KID))).json(), licence, 'the token in the query')
  for (const path of ['/hms/ck/rights/', '/hms/ck/rights'])
    t.match(
      await (await post(gateway.url + path, clearKeyBody(KID), { ExpressPlayToken: token })).json(),
      licence,
      `the token in a header, ${path}`,
    )

  const soap = await post(licenseAcquisitionUrl, playreadyBody(undefined, token), { 'content-type': 'text/xml' })
  t.equal(soap.status, 200, 'the token in the challenge')
  t.equal(soap.headers.get('content-type'), 'text/xml; charset=utf-8')
  t.match(await soap.text(), `<Licence kid="${KID}"`)
  for (const [path, drm] of [
    ['/hms/wv/rights/', 'widevine'],
    ['/hms/fp/rights/', 'fairplay'],
  ] as const) {
    const answer = await post(
      `${gateway.url}${path}?ExpressPlayToken=${seal(gateway, { drm })}`,
      Buffer.from([0, 255, 0, 255, 0, 255]),
    )
    t.match(await answer.json(), { emulated: true, licences: [{ kid: KID }] }, drm)
  }

  t.same(
    await gateway.metric('expressplay_licences_forwarded_total{drm="clearkey",environment="test",status="2xx"}'),
    3,
  )
  t.notMatch(gateway.log.join('\n'), /ExpressPlayToken/i, 'the log has no query')
})

t.test(
  'with HIDE_UPSTREAM the licence URL of every DRM is here, in all forms of answers, and leads to its licence',
  async t => {
    const gateway = await gatewayFor(t)
    for (const of of FAMILIES) {
      const { family } = of
      const { name } = family
      const url = `${gateway.url}${family.licences.path}`
      const asJson = await gateway.askFor(of, `hidden ${name}`, { useHttps: 'false' })
      t.equal(asJson.body.licenseAcquisitionUrl, url, name)
      const ownForm = await (await gateway.order(of, { useHttps: 'false' })).text()
      t.notMatch(ownForm, emulator, name)
      const { token = '', licenseAcquisitionUrl } = tokenIn(family, ownForm) ?? {}
      t.equal(licenseAcquisitionUrl, url, name)

      // What a player does with the answer.
      const body = name === 'playready' ? playreadyBody(`<KID>${SAMPLE_KID}</KID>`, token) : 'a challenge of the player'
      const [playerUrl = ''] = ownForm.startsWith('http') ? ownForm.split('#') : [`${url}?ExpressPlayToken=${token}`]
      const licence = await (await post(playerUrl, body)).text()
      t.match(licence, sampleParameters.kid, name)
      const count = `expressplay_licences_forwarded_total{drm="${family.drm}",environment="test",status="2xx"}`
      t.ok((await gateway.metric(count)) > 0, count)
    }
  },
)

t.test('an MS3 URL keeps its scheme and its fragment, and is redeemed with GET as well', async t => {
  // Its name stands for the other environment.
  const gateway = await gatewayFor(t, { PUBLIC_URL: 'http://ms3.service.expressplay.com:8443' })
  const ms3 = FAMILIES.find(({ family }) => family.name === 'ms3')
  if (ms3 === undefined) throw new Error('no MS3')
  const contentURL = 'https://media.example.com/a b.mpd?x=1'
  for (const [change, scheme] of [
    [{ ms3SchemeType: 'ms3hs' }, 'ms3hs'],
    [{ ms3Scheme: 'true' }, 'ms3'],
    [{ useHttps: '1' }, 'https'],
    [{}, 'http'],
  ] as const) {
    const answer = await gateway.order(ms3, { contentURL, ...change })
    const [url = '', fragment] = (await answer.text()).split('#')
    t.equal(fragment, encodeURIComponent(contentURL), scheme)
    const place = `${scheme}://ms3.service.expressplay.com:8443/hms/ms3/rights/?environment=test&b=`
    t.equal(url.replace(/[\w-]+$/, ''), place)
    const licence = await fetch(gateway.url + url.replace(/^\w+:\/\/[^/]*/, ''))
    t.match(await licence.json(), { emulated: true, licences: [{ kid: sampleParameters.kid }] }, scheme)
  }
})

t.test('the licence URLs that the real service is known to answer can all be hidden', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await gatewayFor(t, { UPSTREAM_TEST_URL: upstream.url })
  const token = tokenNumber(1)
  const host = new URL(upstream.url).host
  const urls = new Map([
    ['playready', [`http://${host}/playready/RightsManager.asmx`]],
    [
      'widevine',
      ['/hms/wv/rights/', '/hms/wv/rights', '/widevine/RightsManager.asmx'].map(path => `https://${host}${path}`),
    ],
    ['fairplay', [`https://${host}/hms/fp/rights/`]],
    ['ms3', [`https://${host}/hms/ms3/rights/`]],
    ['bb', [`https://${host}/hms/bb/rights/`]],
  ])
  for (const of of FAMILIES)
    for (const licenseAcquisitionUrl of urls.get(of.family.name) ?? []) {
      upstream.behave = says(answerOf(JSON.stringify({ licenseAcquisitionUrl, token })))
      const { body } = await gateway.askFor(of, 'hidden', { useHttps: '0' })
      t.equal(body.licenseAcquisitionUrl, `${gateway.url}${of.family.licences.path}`, licenseAcquisitionUrl)
    }
  // Of another DRM, and of nobody.
  for (const path of ['/hms/fp/rights/', '/hms/wv/rights/more', '/'])
    for (const of of FAMILIES.filter(({ family }) => family.name === 'widevine')) {
      upstream.behave = says(answerOf(JSON.stringify({ licenseAcquisitionUrl: `http://${host}${path}`, token })))
      t.equal((await gateway.askFor(of, 'unknown')).body.licenseAcquisitionUrl, `http://${host}${path}`)
    }
})

t.test('refusals come back as they are', async t => {
  const gateway = await gatewayFor(t)
  const token = seal(gateway, {})
  const expired = seal(gateway, { expiresAt: Date.now() - 1000 })
  const bound = seal(gateway, { deviceId: DEVICE })
  const device = { 'x-device-id': DEVICE }
  const elsewhere = seal(gateway, { ipAddress: '203.0.113.7' })
  const here = seal(gateway, { ipAddress: '127.0.0.1' })
  const spoofed = { 'x-forwarded-for': '203.0.113.7', 'x-real-ip': '203.0.113.7' }
  for (const [title, status, query, body, headers] of [
    ['expired', 403, expired, clearKeyBody(KID), {}],
    ['another device', 403, bound, clearKeyBody(KID), {}],
    ['the device', 200, bound, clearKeyBody(KID), device],
    ['another address, whatever it says', 403, elsewhere, clearKeyBody(KID), spoofed],
    ['the address', 200, here, clearKeyBody(KID), {}],
    ['no such key', 400, token, clearKeyBody(OTHER_KID), {}],
    ['no token of anybody', 403, 'AQAD', clearKeyBody(KID), {}],
  ] as const) {
    const ask = (url: string) => post(`${url}/hms/ck/rights/?ExpressPlayToken=${query}`, body, headers)
    const answer = await ask(gateway.url)
    t.equal(answer.status, status, title)
    t.equal(answer.headers.get('access-control-allow-origin'), '*', title)
    if (status === 200 || headers === spoofed) continue
    const { requestId: _, ...told } = await errorOf(answer)
    t.match(await errorOf(await ask(emulator)), told, title)
  }
  const soap = await post(`${gateway.url}/playready/RightsManager.asmx`, playreadyBody(undefined, expired))
  t.equal(soap.status, 500)
  t.match(await soap.text(), /<StatusCode>0x8004C604<.*"code":-4010,"message":"\[-4010\] Invalid token: it expired/s)
})

t.test('a hidden URL leads to the environment of its token', async t => {
  const UPSTREAM_PRODUCTION_URL = await startEmulator(t, 'production')
  const PUBLIC_URL = 'https://api.test.expressplay.com/play'
  const gateway = await gatewayFor(t, { UPSTREAM_PRODUCTION_URL, PUBLIC_URL, TRUSTED_PROXIES: '127.0.0.1' })
  const ours = 'http://api.test.expressplay.com/play/playready/RightsManager.asmx'
  t.equal((await tokenFor(gateway, {}, 'pr-gen.test.expressplay.com')).licenseAcquisitionUrl, ours)
  t.match(await tokenFor(gateway, { useHttps: 'true' }), { licenseAcquisitionUrl: ours.replace('http', 'https') })

  const { licenseAcquisitionUrl, token, playerConfig } = await tokenFor(
    gateway,
    { customerAuthenticator: LOCAL.production },
    'pr-gen.service.expressplay.com',
  )
  t.equal(licenseAcquisitionUrl, `${ours}?environment=production`)
  const clearKeyUrl = playerConfig?.clearkey?.eme.licenseRequest.url ?? ''
  t.match(clearKeyUrl, /\/play\/hms\/ck\/rights\/\?environment=production&ExpressPlayToken=/)
  const { search } = new URL(clearKeyUrl)
  t.match(await (await post(`${gateway.url}/hms/ck/rights/${search}`, clearKeyBody(KID))).json(), licence)
  const forwarded = 'expressplay_licences_forwarded_total{drm="clearkey",environment="production",status="2xx"}'
  t.equal(await gateway.metric(forwarded), 1)
  gateway.keepSecret(token)
})

t.test('without HIDE_UPSTREAM the URL is the one that the upstream told', async t => {
  const gateway = await gatewayFor(t, { HIDE_UPSTREAM: 'false' })
  const { licenseAcquisitionUrl, playerConfig } = await tokenFor(gateway)
  t.equal(licenseAcquisitionUrl, `${emulator}/playready/RightsManager.asmx`)
  t.match(playerConfig?.clearkey?.eme.licenseRequest.url, `${emulator}/hms/ck/rights/?ExpressPlayToken=`)
})

t.test('a URL that key requests are not forwarded to is told as it is, and the operator hears of it once', async t => {
  const gateway = await gatewayFor(t, { UPSTREAM_TEST_LICENCE_URL: 'http://127.0.0.1:9' })
  for (let time = 0; time < 2; time++)
    t.equal((await tokenFor(gateway)).licenseAcquisitionUrl, `${emulator}/playready/RightsManager.asmx`)
  const warnings = gateway.log.filter(line => line.includes('that cannot be hidden'))
  t.equal(warnings.length, 1)
  t.match(JSON.parse(warnings[0] ?? ''), { host: new URL(emulator).host })
})

t.test('the real service knows no Clear Key, and nobody is told to ask it', async t => {
  const real = { UPSTREAM_TEST_URL: undefined, UPSTREAM_PRODUCTION_URL: undefined }
  const gateway = await gatewayFor(t, real) // the real service, which is not asked
  t.equal((await post(`${gateway.url}/hms/ck/rights/`, clearKeyBody(KID))).status, 404)
})
