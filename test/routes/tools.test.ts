import t from 'tap'
import type { PsshAnswer } from '../../schemas/pssh.js'
import { CONTENT_KEY, errorOf, startTestServer, type TestServer } from '../harness.js'
import { readBox, readMessage, readObject } from '../pssh/box-reader.js'

const KID = 'b366360da82e9c6e0b0984002a362cf2'
const GUID = 'DTZmsy6obpwLCYQAKjYs8g=='
const PLAYREADY = '9a04f07998404286ab92e65be0885f95'
const WIDEVINE = 'edef8ba979d64acea3c827dcd51d21ed'
const COMMON = '1077efecc0b24d02ace33c1e52e2fb4b'

function ask(server: TestServer, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  server.keepSecret(CONTENT_KEY)
  return fetch(`${server.url}/tools/pssh`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

async function made(server: TestServer, body: unknown): Promise<PsshAnswer> {
  const response = await ask(server, body)
  t.equal(response.status, 200)
  t.equal(response.headers.get('content-type'), 'application/json')
  const text = await response.text()
  for (const spelling of [CONTENT_KEY, Buffer.from(CONTENT_KEY, 'hex').toString('base64')])
    t.notMatch(text, spelling, 'no content key is answered')
  return JSON.parse(text) as PsshAnswer // checked by the tests
}

t.test('one key: header, object, boxes and elements', async t => {
  const server = await startTestServer(t)
  const { host } = new URL(server.url)
  const licenceUrl = `http://${host}/playready/RightsManager.asmx`
  const answer = await made(server, { keys: [{ kid: KID.toUpperCase(), contentKey: CONTENT_KEY }] })
  t.match(answer, {
    scheme: 'cenc',
    licenseAcquisitionUrl: licenceUrl,
    clearKeyUrl: `http://${host}/hms/ck/rights/`,
    licenseUrls: {
      playready: licenceUrl,
      widevine: `http://${host}/hms/wv/rights/`,
      fairplay: `http://${host}/hms/fp/rights/`,
      clearkey: `http://${host}/hms/ck/rights/`,
    },
    keys: [{ kid: KID, playready: { headerVersion: '4.0.0.0' } }],
  })
  t.notOk(answer.together, 'there is nothing to put together')
  const token = await server.get()
  t.match(await token.json(), { licenseAcquisitionUrl: licenceUrl }, 'the same URL as that of a token')

  const [key] = answer.keys
  t.ok(key)
  if (key === undefined) return
  const box = readBox(key.playready.pssh)
  t.match(box, { version: 0, system: PLAYREADY, kids: [] })
  t.equal(box.data.toString('base64'), key.playready.object)
  t.equal(readObject(box.data), key.playready.header)
  t.match(key.playready.header, `<KID>${GUID}</KID><CHECKSUM>`)
  t.match(key.playready.header, `<LA_URL>${licenceUrl}</LA_URL>`)
  t.match(readBox(key.clearkey.pssh), { version: 1, system: COMMON, kids: [KID], data: Buffer.alloc(0) })

  const [common = '', playready = '', clearKey = ''] = key.contentProtection
  t.match(common, /mp4protection:2011" value="cenc" cenc:default_KID="b366360d-a82e-9c6e-0b09-84002a362cf2"\/>$/)
  t.match(playready, `<cenc:pssh>${key.playready.pssh}</cenc:pssh><mspr:pro>${key.playready.object}</mspr:pro>`)
  t.match(clearKey, /urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e/)
  t.match(clearKey, `<dashif:Laurl>http://${host}/hms/ck/rights/</dashif:Laurl>`)
})

t.test('Widevine: provider and content id, for DASH and HLS', async t => {
  const server = await startTestServer(t)
  const keys = [{ kid: '^video' }, { kid: KID }]
  const named = { provider: 'intertrust', contentId: 'Film “Ö”' }
  for (const scheme of ['cenc', 'cbcs'] as const) {
    const answer = await made(server, { scheme, keys, ...named })
    const idsOf = (widevine = { data: '', pssh: '' }) => {
      const box = readBox(widevine.pssh)
      t.match(box, { version: 0, system: WIDEVINE, kids: [] })
      t.equal(box.data.toString('base64'), widevine.data)
      const { 2: ids = [], ...others } = readMessage(box.data)
      t.same(others, {
        3: [Buffer.from(named.provider)],
        4: [Buffer.from(named.contentId)],
        9: [Buffer.from(scheme).readUInt32BE()],
      })
      return ids.map(id => Buffer.from(id as Buffer).toString('hex')) // bytes in this field
    }
    for (const { kid, widevine, contentProtection, hls } of answer.keys) {
      t.same(idsOf(widevine), [kid])
      t.match(contentProtection[3], `schemeIdUri="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"`)
      t.match(contentProtection[3], `<cenc:pssh>${widevine.pssh}</cenc:pssh>`)
      t.equal(hls.key.filter(line => line.includes(`URI="data:text/plain;base64,${widevine.pssh}"`)).length, 1)
      t.same(
        hls.sessionKey.filter(line => line.includes('skd:')),
        scheme === 'cenc'
          ? [] // which no FairPlay client reads
          : [
              `#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://${kid}",KEYFORMATVERSIONS="1",KEYFORMAT="com.apple.streamingkeydelivery"`,
            ],
      )
    }
    t.same(
      idsOf(answer.together?.widevine),
      answer.keys.map(({ kid }) => kid),
      'all keys in one',
    )
  }
  const [plain] = (await made(server, { keys: [{ kid: KID }] })).keys
  t.same(Object.keys(readMessage(readBox(plain?.widevine.pssh ?? '').data)), ['2', '9'])
})

t.test('several keys: a header for each, and one for all', async t => {
  const server = await startTestServer(t)
  const keys = [{ kid: '^video', contentKey: CONTENT_KEY }, { kid: '^audio' }, { kid: KID }]
  for (const [scheme, single, several] of [
    ['cenc', '4.0.0.0', '4.2.0.0'],
    ['cbcs', '4.3.0.0', '4.3.0.0'],
  ] as const) {
    const answer = await made(server, { scheme, keys })
    t.same(
      answer.keys.map(({ playready }) => playready.headerVersion),
      [single, single, single],
    )
    const kids = answer.keys.map(({ kid }) => kid)
    t.equal(kids[2], KID)
    t.equal(answer.together?.playready.headerVersion, several)
    t.same(readBox(answer.together?.clearkey.pssh ?? '').kids, kids)
    const header = readObject(readBox(answer.together?.playready.pssh ?? '').data)
    t.equal(header.match(/<KID /g)?.length, 3)
    t.equal(header.match(/CHECKSUM/g)?.length ?? 0, scheme === 'cenc' ? 1 : 0)
    t.match(answer.keys[1]?.contentProtection[0], `value="${scheme}"`)
  }
  const sixteen = Array.from({ length: 16 }, (_, index) => ({ kid: `^${index}`, contentKey: CONTENT_KEY }))
  const longest = `https://example.com/?${'&'.repeat(1003)}`
  const { together } = await made(server, { keys: sixteen, licenseAcquisitionUrl: longest })
  t.ok(Buffer.from(together?.playready.object ?? '', 'base64').length < 15_360, 'the largest object is small enough')
})

t.test('URLs: given, by PUBLIC_URL, with http', async t => {
  const server = await startTestServer(t, { settings: { PUBLIC_URL: 'https://drm.example.com/play/' } })
  const keys = [{ kid: KID }]
  t.match(await made(server, { keys }), { clearKeyUrl: 'https://drm.example.com/play/hms/ck/rights/' })
  t.match(await made(server, { keys, useHttps: false }), {
    licenseAcquisitionUrl: 'http://drm.example.com/play/playready/RightsManager.asmx',
    clearKeyUrl: 'http://drm.example.com/play/hms/ck/rights/',
    licenseUrls: { widevine: 'http://drm.example.com/play/hms/wv/rights/' },
  })
  const licenseAcquisitionUrl = 'https://pr.example.com/rm.asmx?a=1&b=</LA_URL>'
  const clearKeyUrl = 'https://ck.example.com/?a=1&b=2'
  const given = await made(server, { keys, licenseAcquisitionUrl, clearKeyUrl })
  const [key] = given.keys
  t.match(given.licenseUrls, {
    playready: 'https://pr.example.com/rm.asmx?a=1&b=%3C/LA_URL%3E',
    fairplay: 'https://drm.example.com/play/hms/fp/rights/',
    clearkey: clearKeyUrl,
  })
  t.match(key?.playready.header, '<LA_URL>https://pr.example.com/rm.asmx?a=1&amp;b=%3C/LA_URL%3E</LA_URL>')
  t.match(key?.contentProtection[2], '<dashif:Laurl>https://ck.example.com/?a=1&amp;b=2</dashif:Laurl>')
})

t.test('refusals name the field and repeat no value', async t => {
  const server = await startTestServer(t)
  const seventeen = Array.from({ length: 17 }, (_, index) => ({ kid: `^${index}` }))
  for (const [body, parameter] of [
    [{}, 'keys'],
    [{ keys: [] }, 'keys'],
    [{ keys: seventeen }, 'keys'],
    [{ keys: [{ kid: KID }, { kid: KID.toUpperCase() }] }, 'keys'],
    [{ keys: [{}] }, 'keys[0].kid'],
    [{ keys: [{ kid: KID }, { kid: CONTENT_KEY.slice(1) }] }, 'keys[1].kid'],
    [{ keys: [KID] }, 'keys[0]'],
    [{ keys: [{ kid: KID, contentKey: `${CONTENT_KEY}00` }] }, 'keys[0].contentKey'],
    [{ keys: [{ kid: KID, ek: CONTENT_KEY }] }, 'keys[0].ek'],
    [{ keys: [{ kid: KID }], scheme: 'cens' }, 'scheme'],
    [{ keys: [{ kid: KID }], useHttps: 'true' }, 'useHttps'],
    [{ keys: [{ kid: KID }], licenseAcquisitionUrl: 'javascript:alert(1)' }, 'licenseAcquisitionUrl'],
    [
      { keys: [{ kid: KID }], licenseAcquisitionUrl: `https://example.com/${'é'.repeat(500)}` },
      'licenseAcquisitionUrl',
    ],
    [{ keys: [{ kid: KID }], clearKeyUrl: 'nonsense' }, 'clearKeyUrl'],
    [{ keys: [{ kid: KID }], provider: '' }, 'provider'],
    [{ keys: [{ kid: KID }], provider: 'p'.repeat(65) }, 'provider'],
    [{ keys: [{ kid: KID }], contentId: 4711 }, 'contentId'],
    [{ keys: [{ kid: KID }], contentId: 'c'.repeat(257) }, 'contentId'],
  ] as const) {
    const response = await ask(server, body)
    t.equal(response.status, 400)
    const error = await errorOf(response)
    t.match(error, { code: 400, message: String, parameter, requestId: String })
    t.notMatch(error.message, CONTENT_KEY.slice(1))
  }
  t.match((await errorOf(await ask(server, '"text"'))).message, 'The body must be a JSON object with keys')
  t.match((await errorOf(await ask(server, ''))).message, 'The body must be a JSON object with keys')
  t.match(await errorOf(await ask(server, `{"keys": "${CONTENT_KEY}`)), { message: 'The body is not JSON' })

  const form = await ask(server, 'kid=1', { 'content-type': 'application/x-www-form-urlencoded' })
  t.match(await errorOf(form), { code: 415, message: 'The body must be application/json' })
  t.match(await errorOf(await ask(server, { keys: 'a'.repeat(70_000) })), { code: 413 })
  const read = await fetch(`${server.url}/tools/pssh?errorFormat=json`)
  t.equal(read.headers.get('allow'), 'POST')
  t.match(await errorOf(read), { code: 405 })
})

t.test('however much is wrong with a request, its refusal is short', async t => {
  const server = await startTestServer(t, { settings: { BODY_LIMIT: 16 * 1024 * 1024 } })
  const names = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`x${index}`, 1]))
  t.match(await errorOf(await ask(server, names)), { code: 400, message: /(…, ){19}… and 4980 more$/ })
  const keys = Array.from({ length: 100_000 }, () => 1)
  t.match(await errorOf(await ask(server, { keys })), { message: /\] keys must be a list of 1 to 16 keys$/ })
})
