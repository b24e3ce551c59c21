import t from 'tap'
import { shownAccount } from '../../schemas/admin.js'
import type { TokenAnswer } from '../../schemas/answers.js'
import { fairplay } from '../../src/drm/fairplay-family.js'
import { TOKEN_FAMILIES } from '../../src/drm/families.js'
import type { TokenFamily } from '../../src/drm/family.js'
import { broadband, ms3 } from '../../src/drm/marlin-families.js'
import { widevine } from '../../src/drm/widevine-family.js'
import { parseXml } from '../../src/drm/xml.js'
import { sampleParameters } from '../../src/sample.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { appWith, type TestApp } from '../app.js'
import { authenticators, CONTENT_KEY, errorOf, startTestServer } from '../harness.js'
import { keystoreOf } from '../keystore.js'

const JSON_PLEASE = { accept: 'application/json' }
const PROXY = { TRUSTED_PROXIES: '127.0.0.1' }

async function urlOf({ ask }: TestApp, family: TokenFamily, headers: Record<string, string>, useHttps?: string) {
  const change = useHttps === undefined ? {} : { useHttps }
  const answer = await ask(change, { ...JSON_PLEASE, ...headers }, family)
  return answer.json<TokenAnswer>().licenseAcquisitionUrl
}

t.test('a licence URL is on the licence host of the name that was asked, with the scheme of the request', async t => {
  const app = await appWith(t, { settings: PROXY })
  for (const family of TOKEN_FAMILIES) {
    const { label, scheme } = family.licenceHost
    const { path } = family.licences
    const host = `${label}-gen.test.expressplay.com`
    const secure = { host, 'x-forwarded-proto': 'https' }
    t.equal(await urlOf(app, family, { host }), `http://${label}.test.expressplay.com${path}`)
    const usual = scheme === 'http:' ? 'http' : 'https'
    t.equal(await urlOf(app, family, secure), `${usual}://${label}.test.expressplay.com${path}`)
    for (const [useHttps, expected] of Object.entries({ true: 'https', 1: 'https', false: 'http', 0: 'http' }))
      t.equal(await urlOf(app, family, secure, useHttps), `${expected}://${label}.test.expressplay.com${path}`)
    t.equal(await urlOf(app, family, { host: 'drm.example.com:8080' }), `http://drm.example.com:8080${path}`)
  }
})

t.test('PUBLIC_URL is the place and the scheme of every licence URL', async t => {
  const app = await appWith(t, { settings: { PUBLIC_URL: 'https://drm.example.com/base' } })
  for (const family of TOKEN_FAMILIES)
    t.equal(await urlOf(app, family, {}), `https://drm.example.com/base${family.licences.path}`)
})

t.test('each DRM answers in its own form', async t => {
  const { ask } = await appWith(t)
  for (const family of [widevine, fairplay]) {
    const { headers, body } = await ask({}, {}, family)
    t.equal(headers['content-type'], 'text/uri-list')
    t.match(body, new RegExp(`^http://localhost:80${family.licences.path}\\?ExpressPlayToken=[\\w-]+$`))
  }

  const manifest = 'https://media.example.com/a b.mpd?x=1&y=ü#t'
  for (const [change, scheme] of [
    [{}, 'http'],
    [{ useHttps: '1' }, 'https'],
    [{ ms3SchemeType: 'ms3hs' }, 'ms3hs'],
    [{ ms3SchemeType: 'other' }, 'http'],
    [{ ms3Scheme: 'true' }, 'ms3'],
    [{ ms3Scheme: 'false' }, 'http'],
  ] as const) {
    const { headers, body } = await ask({ contentURL: manifest, ...change }, {}, ms3)
    t.equal(headers['content-type'], 'text/uri-list')
    const [, asked = '', fragment = ''] = /^(.*)\?b=[\w-]+#(.*)$/.exec(body) ?? []
    t.equal(asked, `${scheme}://localhost:80/hms/ms3/rights/`)
    t.equal(decodeURIComponent(fragment), manifest)
  }
  t.notMatch((await ask({}, {}, ms3)).body, '#')
})

t.test('a Broadband answer is an action token with our token in it', async t => {
  const { app, ask } = await appWith(t)
  const user = { userId: 'viewer-4711', userKey: CONTENT_KEY }
  for (const [change, action] of [
    [{}, 'LicenseAcquisition'],
    [{ actionTokenType: '1', ...user }, 'LicenseAcquisition'],
    [{ actionTokenType: '0', ...user }, 'Registration'],
    [{ actionTokenType: '2' }, 'Deregistration'],
  ] as const) {
    const { headers, body } = await ask(change, {}, broadband)
    t.equal(headers['content-type'], 'application/vnd.marlin.drm.actiontoken+xml')
    t.equal(parseXml(body)?.attributes.get('xmlns'), 'urn:marlin:broadband:1-2:nemo:services:action-token')
    const [configuration, own] = parseXml(body)?.children ?? []
    t.same(
      configuration?.children.map(({ name }) => name),
      ['broadbandServiceId', 'configVersion', 'ResourceLocation'],
    )
    t.equal(configuration?.children[2]?.text, 'http://localhost:80/hms/bb/rights/')
    t.equal(own?.name, action)
    const redeemed = await app.inject({ method: 'POST', url: '/hms/bb/rights/', payload: body })
    t.equal(redeemed.statusCode, 200, 'a client posts it as it is')
    t.equal(redeemed.json<{ licences: unknown[] }>().licences.length, action === 'LicenseAcquisition' ? 1 : 0)
  }
})

t.test('what is assumed is named, in the header and only where it is assumed', async t => {
  const { ask } = await appWith(t)
  const assumed = async (change: Record<string, string | null>) =>
    (await ask(change, {}, widevine)).headers['x-assumed-parameters']
  t.equal(await assumed({}), undefined)
  t.equal(await assumed({ securityLevel: null }), 'securityLevel')
  t.equal(await assumed({ securityLevel: null, hdcpOutputControl: null }), 'securityLevel, hdcpOutputControl')
  const keys = { kid: null, contentKey: null, 'kid.0': '^a', 'contentKey.0': CONTENT_KEY }
  const two = { ...keys, 'kid.1': '^b', 'contentKey.1': CONTENT_KEY }
  t.equal(await assumed({ ...two, securityLevel: null, 'securityLevel.0': '5' }), 'securityLevel.1')
})

t.test('STRICT_PARAMETERS is for every account that does not say otherwise', async t => {
  const lenient = { id: 7, authenticators: { test: `7,${'7'.repeat(32)}` }, strictParameters: false }
  const unsaid = { id: 201722, authenticators: { test: sampleParameters.customerAuthenticator } }
  const { ask } = await appWith(t, { settings: { STRICT_PARAMETERS: 'true' }, accounts: [lenient, unsaid] })
  const missing = { securityLevel: null }
  t.match((await ask(missing, {}, widevine)).json(), { code: -7003, parameter: 'securityLevel' })
  t.equal((await ask({}, {}, widevine)).statusCode, 200)
  const own = { ...missing, customerAuthenticator: lenient.authenticators.test }
  const answer = await ask(own, {}, widevine)
  t.equal(answer.statusCode, 200)
  t.equal(answer.headers['x-assumed-parameters'], 'securityLevel')
})

t.test('an account has the DRMs that its options say', async t => {
  const server = await startTestServer(t, { settings: { ADMIN_TOKEN: 'a-token-of-the-administrator' } })
  const admin = administratorOf(server, 'a-token-of-the-administrator')
  const codes = async () => {
    const found: Record<string, number> = {}
    for (const family of TOKEN_FAMILIES) {
      const answer = await server.request(family, 'get')
      found[family.name] = answer.ok ? 200 : (await errorOf(answer)).code
    }
    return found
  }
  const all = { playready: 200, widevine: 200, fairplay: 200, ms3: 200, bb: 200 }
  t.same(await codes(), all)
  for (const [drm, refused] of Object.entries({
    playready: { playready: -5002 },
    widevine: { widevine: -7011 },
    fairplay: { fairplay: -6009 },
    marlin: { ms3: -2031, bb: -2031 },
  })) {
    const off = await admin.patch('/accounts/201722', { drm: { [drm]: false } })
    t.match(await bodyOf(shownAccount, off), { drm: { [drm]: false } })
    t.same(await codes(), { ...all, ...refused })
    await admin.patch('/accounts/201722', { drm: { [drm]: true } })
  }
  const never = await admin.patch('/accounts/201722', { drm: { fairplay: null } })
  t.match(await bodyOf(shownAccount, never), { drm: { fairplay: null } })
  t.same(await codes(), { ...all, fairplay: -6006 })

  const listed = await bodyOf(shownAccount, admin.post('/accounts', { id: 70, drm: { widevine: true } }))
  t.match(listed, { drm: { playready: true, widevine: true, fairplay: null, marlin: true } })
  const created = await bodyOf(shownAccount, admin.post('/accounts', { id: 71, drm: { fairplayDeviceBinding: false } }))
  t.match(created, { drm: { fairplay: true, fairplayDeviceBinding: false } })
})

t.test('a stored key goes into the tokens of every DRM', async t => {
  const server = await startTestServer(t)
  const kek = '000102030405060708090a0b0c0d0e0f'
  const { kid } = sampleParameters
  t.equal((await keystoreOf(server).post('/keys', { kek, body: { kid, k: CONTENT_KEY } })).status, 201)
  for (const family of TOKEN_FAMILIES) {
    const names = family.drm === 'marlin' ? [{ kid }, { kid: null, contentId: `urn:marlin:kid:${kid}` }] : [{ kid }]
    for (const name of names) {
      const change = { ...name, contentKey: null, kek }
      const answer = await server.request(family, 'post', change, JSON_PLEASE)
      const { token } = (await answer.json()) as TokenAnswer // its fields are checked
      t.match(server.openToken(token)?.keys, [{ kid, contentKey: CONTENT_KEY }], family.title)
    }
  }
})

t.test('an Idempotency-Key belongs to one endpoint, and repeats its answer in its form', async t => {
  const { ask } = await appWith(t)
  for (const [index, family] of TOKEN_FAMILIES.entries()) {
    const key = { 'idempotency-key': `key-${index}` }
    const change = family === ms3 ? { contentURL: 'https://media.example.com/a.mpd' } : {}
    const first = await ask(change, key, family)
    const again = await ask(change, key, family)
    t.equal(again.headers['idempotency-replayed'], 'true', family.title)
    t.equal(again.body, first.body)
    for (const other of TOKEN_FAMILIES)
      if (other !== family) t.equal((await ask(change, key, other)).statusCode, 422, `${family.title}, ${other.title}`)
  }
})

t.test('the log and the metrics name the DRM of each token, and limits count all together', async t => {
  const { app, ask, services } = await appWith(t, { settings: { RATE_LIMIT_PER_ACCOUNT: '11' } })
  for (const family of TOKEN_FAMILIES) {
    t.equal((await ask({ cookie: family.name }, {}, family)).statusCode, 200)
    t.equal((await ask({ cookie: family.name, kid: '^' }, {}, family)).statusCode, 400)
  }
  const query = new URLSearchParams({ customerAuthenticator: authenticators.own })
  const log = (await app.inject(`/cmiapi/getrecord/?${query}`)).json<{ events: { drm: string; cookie: string }[] }>()
  t.equal((await ask({}, {}, widevine)).statusCode, 429)
  for (const { name, drm } of TOKEN_FAMILIES)
    t.same(
      log.events.filter(({ cookie }) => cookie === name).map(event => event.drm),
      [drm, drm],
    )
  const metrics = await services.metrics.registry.metrics()
  for (const [drm, times] of Object.entries({ playready: 1, widevine: 1, fairplay: 1, marlin: 2 }))
    t.match(metrics, new RegExp(`tokens_issued_total\\{drm="${drm}",environment="test"\\} ${times}\n`))
})

t.test('every path answers with and without its final slash', async t => {
  const { app } = await appWith(t)
  const query = `?${new URLSearchParams({ customerAuthenticator: authenticators.own })}`
  const statusOf = async (method: 'GET' | 'POST' | 'PUT', path: string) =>
    (await app.inject({ method, url: `${path}${query}` })).statusCode
  const paths = [
    ...TOKEN_FAMILIES.map(({ tokenPath }) => ['GET', tokenPath, 400] as const),
    ...TOKEN_FAMILIES.map(({ licences }) => ['POST', licences.path.replace(/\/$/, ''), 403] as const),
    ...([
      ['POST', '/playready/RightsManager.asmx', 500],
      ['POST', '/widevine/RightsManager.asmx', 403],
      ['GET', '/cmiapi/getrecord', 200],
      ['GET', '/keystore/keycount', 200],
      ['GET', '/keystore/keys/b366360da82e9c6e0b0984002a362cf2/value', 404],
      ['PUT', '/hms/wv/token', 405],
    ] as const),
  ]
  for (const [method, path, status] of paths) {
    const expected = path.startsWith('/playready') ? 500 : status
    t.equal(await statusOf(method, path), expected, path)
    t.equal(await statusOf(method, `${path}/`), expected, `${path}/`)
  }
})
