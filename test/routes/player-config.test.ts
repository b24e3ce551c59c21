import t from 'tap'
import type { TokenAnswer } from '../../schemas/answers.js'
import { type Change, errorOf, startTestServer, type TestServer } from '../harness.js'

const JSON_ONLY = { accept: 'application/json' }

async function answerOf(server: TestServer, change: Change): Promise<TokenAnswer> {
  const response = await server.get(change, JSON_ONLY)
  t.equal(response.status, 200)
  t.equal(response.headers.get('x-ignored-parameters'), null)
  return (await response.json()) as TokenAnswer // checked by the tests
}

t.test('configuration for each player and key system', async t => {
  const server = await startTestServer(t)
  const { licenseAcquisitionUrl, token, playerConfig } = await answerOf(server, {
    playerConfig: 'true',
    useHttps: 'false',
  })
  const headers = { ExpressPlayToken: token }
  const clearKeyUrl = `${server.url}/hms/ck/rights/?ExpressPlayToken=${token}`
  t.equal(licenseAcquisitionUrl, `${server.url}/playready/RightsManager.asmx`)
  t.same(playerConfig?.playready?.shaka, {
    drm: {
      servers: { 'com.microsoft.playready': licenseAcquisitionUrl },
      advanced: { 'com.microsoft.playready': { headers } },
    },
  })
  t.same(playerConfig?.playready?.dashjs, {
    'com.microsoft.playready': {
      serverURL: licenseAcquisitionUrl,
      httpRequestHeaders: headers,
      withCredentials: false,
    },
  })
  t.match(playerConfig?.playready?.eme, {
    keySystem: 'com.microsoft.playready',
    configurations: [{ initDataTypes: ['cenc'], videoCapabilities: [{ contentType: /^video\/mp4; codecs="avc1/ }] }],
    licenseRequest: { url: licenseAcquisitionUrl, method: 'POST', headers },
  })
  t.same(playerConfig?.clearkey?.shaka, {
    drm: { servers: { 'org.w3.clearkey': clearKeyUrl }, advanced: { 'org.w3.clearkey': { headers } } },
  })
  t.same(playerConfig?.clearkey?.dashjs, {
    'org.w3.clearkey': { serverURL: clearKeyUrl, httpRequestHeaders: {}, withCredentials: false },
  })
  t.match(playerConfig?.clearkey?.eme, {
    keySystem: 'org.w3.clearkey',
    licenseRequest: { url: clearKeyUrl, method: 'POST', headers: {} },
  })
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
