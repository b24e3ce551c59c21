import t from 'tap'
import type { TokenAnswer } from '../../schemas/answers.js'
import { TOKEN_FAMILIES } from '../../src/drm/families.js'
import { playready } from '../../src/drm/playready-family.js'
import { type Change, errorOf, startTestServer, type TestServer } from '../harness.js'

const JSON_ONLY = { accept: 'application/json' }

async function answerOf(server: TestServer, change: Change, family = playready): Promise<TokenAnswer> {
  const response = await server.request(family, 'get', change, JSON_ONLY)
  t.equal(response.status, 200)
  t.equal(response.headers.get('x-ignored-parameters'), null)
  return (await response.json()) as TokenAnswer // checked by the tests
}

const KEY_SYSTEMS = {
  playready: 'com.microsoft.playready',
  widevine: 'com.widevine.alpha',
  fairplay: 'com.apple.fps',
  marlin: undefined,
}

/** What every player is given, where nothing is special to the key system. */
function plainConfig(keySystem: string, url: string) {
  const licenseRequest = { url, method: 'POST', headers: {} }
  return {
    shaka: { drm: { servers: { [keySystem]: url }, advanced: { [keySystem]: { headers: {} } } } },
    dashjs: { [keySystem]: { serverURL: url, httpRequestHeaders: {}, withCredentials: false } },
    hlsjs: { emeEnabled: true, drmSystems: { [keySystem]: { licenseUrl: url } } },
    videojs: { keySystems: { [keySystem]: { url } } },
    rxplayer: { keySystem: { type: keySystem }, licenseRequest },
    eme: {
      keySystem,
      configurations: [
        {
          initDataTypes: ['cenc'],
          videoCapabilities: [{ contentType: 'video/mp4; codecs="avc1.42E01E"' }],
          audioCapabilities: [{ contentType: 'audio/mp4; codecs="mp4a.40.2"' }],
        },
      ],
      licenseRequest,
    },
  }
}

t.test('every player has the URL of its key system and of Clear Key, with the token', async t => {
  const server = await startTestServer(t)
  for (const family of TOKEN_FAMILIES) {
    const change = { playerConfig: 'true', useHttps: 'false' }
    const { licenseAcquisitionUrl, token, playerConfig } = await answerOf(server, change, family)
    const clearKey = plainConfig('org.w3.clearkey', `${server.url}/hms/ck/rights/?ExpressPlayToken=${token}`)
    // It would ask the URL in the manifest, which has no token.
    clearKey.shaka.drm.advanced['org.w3.clearkey'] = { headers: { ExpressPlayToken: token } }
    t.same(playerConfig?.clearkey, clearKey, family.title)

    const keySystem = KEY_SYSTEMS[family.drm as keyof typeof KEY_SYSTEMS] // the table has every DRM
    if (keySystem === undefined) {
      t.same(Object.keys(playerConfig ?? {}), ['clearkey'], 'no browser knows it')
      continue
    }
    const url = `${licenseAcquisitionUrl}?ExpressPlayToken=${token}`
    const config = plainConfig(keySystem, url)
    if (family.drm === 'fairplay') {
      Object.assign(config.videojs.keySystems, { [keySystem]: { licenseUri: url } })
      for (const one of config.eme.configurations) one.initDataTypes = ['sinf', 'skd']
    }
    t.same(playerConfig, { [family.drm]: config, clearkey: clearKey }, family.title)
    t.not((await fetch(url, { method: 'POST', body: 'x' })).status, 403, 'the licence server finds the token there')
  }
})

t.test('behind PUBLIC_URL', async t => {
  const server = await startTestServer(t, { settings: { PUBLIC_URL: 'https://drm.example.com/play' } })
  const { playerConfig, token } = await answerOf(server, { playerConfig: 'true' })
  const url = `https://drm.example.com/play/hms/ck/rights/?ExpressPlayToken=${token}`
  t.equal(playerConfig?.clearkey?.eme.licenseRequest.url, url)
})

t.test('without the parameter, or without JSON, the answer is the documented one', async t => {
  const server = await startTestServer(t)
  const { host } = new URL(server.url)
  for (const [change, headers] of [
    [{}, {}],
    [{}, JSON_ONLY],
    [{ playerConfig: 'false' }, JSON_ONLY],
    [{ playerConfig: 'true' }, {}],
    [{ playerConfig: 'true' }, { accept: '*/*' }],
  ] as const) {
    const response = await server.get(change, headers)
    t.equal(response.headers.get('content-type'), headers === JSON_ONLY ? 'application/json' : 'text/uri-list')
    const documented = `^\\{"licenseAcquisitionUrl":"http://${host}/playready/RightsManager\\.asmx","token":"[\\w-]{222}"\\}$`
    t.match(await response.text(), new RegExp(documented))
  }
})

t.test('another value is refused before a token is taken', async t => {
  const server = await startTestServer(t)
  const account = { customerAuthenticator: '5,00000000000000000000000000000005' }
  for (const playerConfig of ['', 'yes', 'TRUE', ['true', 'true']]) {
    const refused = await server.get({ ...account, playerConfig }, JSON_ONLY)
    t.equal(refused.status, 400)
    t.match(await errorOf(refused), { code: -2034, parameter: 'playerConfig' })
  }
  for (let tokens = 3; tokens > 0; tokens--) t.equal((await server.get(account)).status, 200)
  const misspelt = await server.get({ playerconfig: 'true' }, JSON_ONLY)
  t.equal(misspelt.headers.get('x-ignored-parameters'), 'playerconfig (did you mean playerConfig?)')
  const numbered = await server.get({ 'playerConfig.0': 'true' }, JSON_ONLY)
  t.equal(numbered.headers.get('x-ignored-parameters'), 'playerConfig.0 (did you mean playerConfig?)')
})
