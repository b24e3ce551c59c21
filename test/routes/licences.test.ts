import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { StandInLicence } from '../../schemas/licences.js'
import { fairplay } from '../../src/drm/fairplay-family.js'
import type { TokenFamily } from '../../src/drm/family.js'
import { broadband, ms3 } from '../../src/drm/marlin-families.js'
import { playready } from '../../src/drm/playready-family.js'
import { widevine } from '../../src/drm/widevine-family.js'
import { machineClock } from '../../src/ground/clock.js'
import { Metrics } from '../../src/metrics.js'
import { sampleParameters } from '../../src/sample.js'
import { RepeatedRefusals } from '../../src/tokens/repeated-refusals.js'
import type { TokenContent } from '../../src/tokens/token-content.js'
import { administratorOf } from '../administrator.js'
import { onBothEngines } from '../engines.js'
import { errorOf, NOON, tokenOf, uuidOf } from '../harness.js'
import {
  CUSTOMER,
  clearKeyBody,
  DEVICE,
  type KeyRequest,
  KID,
  OTHER_KID,
  playreadyBody,
  startLicenceServer,
  tokenKey,
} from '../redeeming.js'

const JSON_PLEASE = { accept: 'application/json' }
const CLEAR_KEY = '/hms/ck/rights/'
const WIDEVINE = '/hms/wv/rights/'
const FAIRPLAY = '/hms/fp/rights/'
const PLAYREADY = '/playready/RightsManager.asmx'

t.test('an issued token is redeemed for the keys that are asked for', async t => {
  const server = await startLicenceServer(t)
  const issued = await server.get({
    kid: null,
    contentKey: null,
    'kid.0': KID,
    'contentKey.0': '5ec2e7a0c0ffee00123456789abcdef0',
    'kid.1': OTHER_KID,
    'contentKey.1': '5ec2e7a0c0ffee00123456789abcdef1',
  })
  const token = await tokenOf(issued)
  const answer = await server.ask(CLEAR_KEY, { token, body: clearKeyBody(OTHER_KID) })
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'application/json')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.same(await answer.json(), {
    keys: [{ kty: 'oct', kid: 'oEPotg2lTOyMsQz7TNmhyA', k: 'XsLnoMD_7gASNFZ4mrze8Q' }],
    type: 'temporary',
  })
  const both = await server.ask(CLEAR_KEY, { token, body: clearKeyBody(OTHER_KID, KID, KID) })
  const { keys } = (await both.json()) as { keys: { kid: string }[] } // checked right here
  t.same(
    keys.map(({ kid }) => kid),
    ['oEPotg2lTOyMsQz7TNmhyA', 'M0tdPUT1T1akEOB8qqcWDg'],
    'in the order of asking, each once',
  )
})

for (const [TOKEN_STYLE, before, behind] of [
  ['2015', 12, 16],
  ['2021', 50, 20],
] as const)
  t.test(`a token of ${TOKEN_STYLE} is redeemed, and refused with any outer byte changed`, async t => {
    const server = await startLicenceServer(t, { settings: { TOKEN_STYLE } })
    const token = await tokenOf(await server.get())
    const redeem = async (text: string) => {
      server.keepSecret(text)
      return (await server.ask(CLEAR_KEY, { token: text, body: clearKeyBody(sampleParameters.kid) })).status
    }
    t.equal(await redeem(token), 200)
    const bytes = Buffer.from(token, 'base64url')
    for (const at of bytes.keys()) {
      if (at >= before && at < bytes.length - behind) continue
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
      t.equal(await redeem(changed.toString('base64url')), 403, `byte ${at}`)
    }
    t.equal((await server.events()).filter(({ event }) => event === 'token_redeemed').length, 1)
  })

t.test('what players send, in any form that they send it', async t => {
  const server = await startLicenceServer(t)
  const token = server.seal()
  const unpadded = { kids: ['M0tdPUT1T1akEOB8qqcWDg'] }
  const forms: [title: string, path: string, request: KeyRequest][] = [
    ['without content type', CLEAR_KEY, {}],
    ['JSON', CLEAR_KEY, { headers: { 'content-type': 'application/json' } }],
    ['a form', CLEAR_KEY, { headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['bytes', CLEAR_KEY, { headers: { 'content-type': 'application/octet-stream' } }],
    ['nonsense as content type', CLEAR_KEY, { headers: { 'content-type': ';;' } }],
    ['padded KIDs', CLEAR_KEY, { body: '{"kids":["M0tdPUT1T1akEOB8qqcWDg=="]}' }],
    ['no final slash', CLEAR_KEY.slice(0, -1), {}],
    ['more than it needs', CLEAR_KEY, { body: JSON.stringify({ ...unpadded, x: { y: [null] } }) }],
    ['a persistent session', CLEAR_KEY, { body: JSON.stringify({ ...unpadded, type: 'persistent-license' }) }],
  ]
  for (const [title, path, request] of forms) {
    const answer = await server.ask(path, { token, body: JSON.stringify(unpadded), ...request })
    t.equal(answer.status, 200, title)
    t.match(await answer.json(), {
      keys: [{ kid: 'M0tdPUT1T1akEOB8qqcWDg' }],
      type: title === 'a persistent session' ? 'persistent-license' : 'temporary',
    })
  }
})

t.test('a token in each place, and none that contradicts another', async t => {
  const server = await startLicenceServer(t)
  const [token, other] = [server.seal(), server.seal()]
  const inHeader = { ExpressPlayToken: token }
  const bodies: [path: string, body: string][] = [
    [CLEAR_KEY, clearKeyBody(KID)],
    [PLAYREADY, playreadyBody()],
  ]
  for (const [path, body] of bodies) {
    const codeOf = async (request: KeyRequest) => {
      const answer = await server.ask(path, { body, ...request })
      const [code] = /-\d{4}/.exec(answer.ok ? '' : await answer.text()) ?? []
      return code ?? answer.status
    }
    t.equal(await codeOf({ token }), 200)
    t.equal(await codeOf({ headers: inHeader }), 200)
    t.equal(await codeOf({ headers: { EXPRESSPLAYTOKEN: token } }), 200)
    t.equal(await codeOf({ token, headers: inHeader }), 200, 'the same twice')
    t.equal(await codeOf({ token: [token, ''] }), 200, 'an empty place is none')
    t.equal(await codeOf({ token: [token, token] }), 200)
    t.equal(await codeOf({}), '-4010')
    t.equal(await codeOf({ token: '' }), '-4010')
    t.equal(await codeOf({ token: [token, other] }), '-4010')
    t.equal(await codeOf({ token: other, headers: inHeader }), '-4010')
    t.equal(await codeOf({ headers: { ExpressPlayToken: `${token}, ${other}` } }), '-4010')
  }
  const inside = (token: string) => ({ body: playreadyBody(undefined, token) })
  t.equal((await server.ask(PLAYREADY, inside(token))).status, 200)
  t.equal((await server.ask(PLAYREADY, { token, ...inside(token) })).status, 200)
  t.match(await (await server.ask(PLAYREADY, { token: other, ...inside(token) })).text(), /two different tokens/)
  t.match(await (await server.ask(PLAYREADY, { headers: inHeader, ...inside(other) })).text(), /two different tokens/)
})

t.test('every check, each before those that come after it', async t => {
  const server = await startLicenceServer(t)
  const admin = administratorOf(server)
  await admin.patch(`/accounts/${CUSTOMER}`, { maxRedemptions: 1 })
  const ended = { rightsType: 'Rental', generalFlags: '00000001', 'rental.periodEndTime': NOON }
  const wrong: Partial<TokenContent> = {
    drm: 'playready',
    expiresAt: NOON,
    ipAddress: '203.0.113.7',
    deviceId: 'ffffffffffffffffffffffffffffffff',
    keys: [tokenKey(KID, ended)],
  }
  const noKey = JSON.stringify({ kids: [] })
  const statement = { body: '', headers: { 'x-device-id': DEVICE } }

  async function refusal(t: Test, path: string, request: KeyRequest, [status, code, message]: Expected) {
    const answer = await server.ask(path, request)
    t.equal(answer.status, status, String(message))
    t.match(await errorOf(answer), { code, message })
  }
  const invalid = (details: RegExp): Expected => [403, -4010, details]
  await refusal(t, WIDEVINE, {}, invalid(/^\[-4010\] Invalid token: no token was sent$/))
  await refusal(t, WIDEVINE, { token: ['one', 'two'] }, invalid(/two different tokens/))
  await refusal(t, WIDEVINE, { token: 'AQADE' }, invalid(/not made by this service/))
  const forged = server.seal().replace(/.$/, last => (last === 'A' ? 'Q' : 'A'))
  await refusal(t, WIDEVINE, { token: forged }, invalid(/not made by this service/))
  await refusal(t, WIDEVINE, { token: server.seal(wrong, 2) }, [401, -2031, /^\[-2031\] Service Account Disabled$/])
  await refusal(t, WIDEVINE, { token: server.seal(wrong, 999) }, [401, -2031, /^\[-2031\] Service Account Disabled$/])
  await refusal(t, WIDEVINE, { token: server.seal(wrong) }, invalid(/it is for playready, not for widevine/))

  const asking = async (change: Partial<TokenContent>, body: string, expected: Expected) =>
    refusal(t, CLEAR_KEY, { token: server.seal({ ...wrong, ...change }), ...statement, body }, expected)
  const later = { expiresAt: NOON + 1 }
  const here = { ...later, ipAddress: '127.0.0.1' }
  const mine = { ...here, deviceId: DEVICE }
  await asking({}, noKey, invalid(/it expired at 2026-06-01T12:00:00.000Z/))
  await asking(later, noKey, [403, -2003, /^\[-2003\] Invalid IP address: the token is bound to another address$/])
  await asking(here, noKey, [403, -4001, /bound to another device/])
  await asking(mine, noKey, [400, -4018, /^\[-4018\] Missing kid/])
  await asking(mine, 'no JSON', [400, -4018, /no Clear Key licence request/])
  await asking(mine, '{"kids":["AAAA"]}', [400, -4022, /16 bytes in base64url/])
  await asking(mine, clearKeyBody(KID, OTHER_KID), [400, -4022, new RegExp(`no key for ${OTHER_KID}`)])
  await asking(mine, clearKeyBody(KID), invalid(/the rental ended at 2026-06-01T12:00:00.000Z/))

  const good = {
    token: server.seal({ ...wrong, ...mine, keys: [tokenKey(KID)] }),
    ...statement,
    body: clearKeyBody(KID),
  }
  t.equal((await server.ask(CLEAR_KEY, good)).status, 200)
  await refusal(t, CLEAR_KEY, good, invalid(/redeemed as often as it may be, which is 1/))
  const silent = { ...good, token: server.seal(mine), headers: {} }
  await refusal(t, CLEAR_KEY, silent, [403, -4001, /the device gives no id/])
})

type Expected = readonly [status: number, code: number, message: RegExp]

/** Where each kind of token is redeemed, how its URL names the token, and a challenge of its players. */
const OWN_ENDPOINTS = [
  { family: playready, body: playreadyBody(), invalid: '[-4010] Invalid token' },
  { family: widevine, body: Buffer.from([8, 4, 255, 0, 1, 2]), invalid: '[-4010] Invalid token' },
  { family: fairplay, body: Buffer.from([1]), invalid: '[-6002] Invalid FP Token Type' },
  { family: ms3, body: '', invalid: '[-4010] Invalid token' },
  { family: broadband, body: '', invalid: '[-4010] Invalid token' },
] as const

t.test('Clear Key redeems the tokens of every family, and they their own alone', async t => {
  const server = await startLicenceServer(t)
  for (const { family } of OWN_ENDPOINTS) {
    const token = await tokenOf(await server.request(family, 'post', { kid: KID }, JSON_PLEASE))
    const clear = await server.ask(CLEAR_KEY, { token, body: clearKeyBody(KID) })
    t.match(
      await clear.json(),
      { keys: [{ kid: 'M0tdPUT1T1akEOB8qqcWDg', k: 'XsLnoMD_7gASNFZ4mrze8A' }] },
      family.title,
    )
    for (const { family: other, body, invalid } of OWN_ENDPOINTS) {
      const answer = await server.ask(other.licences.path, { token, body })
      const isOwn = other.drm === family.drm
      t.equal(answer.ok, isOwn, `${family.title} token, ${other.title} endpoint`)
      const text = await answer.text()
      if (!isOwn) t.match(text, `${invalid}: it is for ${family.drm}, not for ${other.drm}`)
    }
  }
})

t.test('a FairPlay token without a KID has its key for any KID', async t => {
  const server = await startLicenceServer(t)
  const token = await tokenOf(await server.request(fairplay, 'get', { kid: null }, JSON_PLEASE))
  const clear = await server.ask(CLEAR_KEY, { token, body: clearKeyBody(OTHER_KID, KID) })
  const k = 'XsLnoMD_7gASNFZ4mrze8A'
  t.match(await clear.json(), {
    keys: [
      { kid: 'oEPotg2lTOyMsQz7TNmhyA', k },
      { kid: 'M0tdPUT1T1akEOB8qqcWDg', k },
    ],
  })
  const standIn = (await (await server.ask(FAIRPLAY, { token, body: 'SPC' })).json()) as StandInLicence // checked below
  t.match(standIn.licences, [{ algId: 'aescbc', policy: { iv: '00112233445566778899aabbccddeeff' } }])
  t.notOk(
    standIn.licences.some(licence => 'kid' in licence),
    'it names none',
  )
})

t.test('a token is taken from each place that its DRM has', async t => {
  const server = await startLicenceServer(t)
  const issued = async (family: TokenFamily) => tokenOf(await server.request(family, 'post', { kid: KID }, JSON_PLEASE))
  for (const { family, body } of OWN_ENDPOINTS) {
    const [token, other] = [await issued(family), await issued(family)]
    const inHeader = { ExpressPlayToken: token }
    for (const path of [family.licences.path, ...(family.licences.aliases ?? [])]) {
      t.equal((await server.ask(path, { token, body })).status, 200, `${path}, query`)
      t.equal((await server.ask(path, { headers: inHeader, body })).status, 200, `${path}, header`)
      const two = await server.ask(path, { token: other, headers: inHeader, body })
      t.match(await two.text(), '[-4010] Invalid token: two different tokens were sent')
    }
  }

  const marlin = `${server.url}/hms/ms3/rights/?b=${encodeURIComponent(await issued(ms3))}`
  for (const method of ['GET', 'POST'])
    t.match(await (await fetch(marlin, { method })).json(), { emulated: true, licences: [{ kid: KID }] }, method)
  const both = await fetch(`${marlin}&ExpressPlayToken=${await issued(ms3)}`)
  t.match(await errorOf(both), { code: -4010, message: /two different tokens/ })
  for (const path of [WIDEVINE, FAIRPLAY, '/hms/bb/rights/', CLEAR_KEY]) {
    t.equal((await fetch(`${server.url}${path}?b=1`)).status, 405, `${path} is not read`)
    t.match(await errorOf(await fetch(`${server.url}${path}?b=1`, { method: 'POST', body: 'challenge' })), {
      code: -4010,
      message: /no token was sent/,
    })
  }

  const token = await issued(broadband)
  const business = (one: string) =>
    `<x:Business xmlns:x="urn:x"><x:BusinessToken>${Buffer.from(one, 'base64url').toString('base64')}</x:BusinessToken></x:Business>`
  t.equal((await server.ask('/hms/bb/rights/', { body: business(token) })).status, 200)
  t.equal((await server.ask('/hms/bb/rights/', { token, body: business(token) })).status, 200, 'the same twice')
  const others = await server.ask('/hms/bb/rights/', { token: await issued(broadband), body: business(token) })
  t.match(await errorOf(others), { code: -4010, message: /two different tokens/ })
})

t.test('the checks of every endpoint whose challenge is opaque', async t => {
  const server = await startLicenceServer(t)
  const elsewhere = { ipAddress: '203.0.113.7' }
  const bound = { deviceId: DEVICE }
  for (const { family, body } of OWN_ENDPOINTS.filter(({ family }) => family !== playready)) {
    const { drm } = family
    for (const [content, status, code, message] of [
      [{ expiresAt: NOON, ...elsewhere, ...bound }, 403, -4010, /it expired at 2026-06-01T12:00:00.000Z/],
      [{ ...elsewhere, ...bound }, 403, -2003, /bound to another address/],
      [bound, 403, -4001, /the device gives no id/],
      [
        { keys: [tokenKey(KID, { 'rental.periodEndTime': NOON })] },
        family === broadband ? 403 : 200,
        -4010,
        /the rental ended/,
      ],
    ] as const) {
      const token = server.seal({ drm, ...content }, CUSTOMER, family)
      const answer = await server.ask(family.licences.path, { token, body })
      t.equal(answer.status, status, `${family.title} ${message}`)
      if (status !== 200) t.match(await errorOf(answer), { code, message })
    }
    const told = { token: server.seal({ drm, ...bound }, CUSTOMER, family), body, headers: { 'x-device-id': DEVICE } }
    t.equal((await server.ask(family.licences.path, told)).status, 200, 'a device may be stated')
  }
})

t.test('an empty challenge is refused, and asks for a certificate only if it is short', async t => {
  const server = await startLicenceServer(t)
  const [wv, fp] = [server.seal({ drm: 'widevine' }), server.seal({ drm: 'fairplay' })]
  t.match(await errorOf(await server.ask(WIDEVINE, { token: wv })), { code: -7008, message: /the challenge is empty/ })
  t.match(await errorOf(await server.ask(FAIRPLAY, { token: fp })), { code: -6004, message: /the SPC is empty/ })
  t.match(await errorOf(await server.ask(WIDEVINE, {})), { code: -4010 }, 'the token is checked first')
  const before = await server.events()

  for (const length of [1, 2, 5])
    for (const token of [undefined, wv, 'none of ours']) {
      const answer = await server.ask(WIDEVINE, { token, body: Buffer.alloc(length, 8) })
      t.equal(answer.status, 200)
      t.match(await answer.json(), { emulated: true, playable: false, note: /service certificate/ })
    }
  t.same(await server.events(), before, 'no token is redeemed for it')
  t.match(await (await server.ask(WIDEVINE, { token: wv, body: Buffer.alloc(6) })).json(), {
    licences: [{ kid: KID }, {}],
  })
  t.match(await (await server.ask(FAIRPLAY, { token: fp, body: 'x' })).json(), { licences: [{ kid: KID }, {}] })
  t.equal((await server.events()).length, before.length + 2)
})

t.test('the stand-ins of every DRM say what they are and what was granted', async t => {
  const server = await startLicenceServer(t)
  for (const [family, path, policy] of [
    [widevine, WIDEVINE, { securityLevel: 3, wvExtension: ['wudo,AAAAAA=='] }],
    [fairplay, FAIRPLAY, { rentalDuration: 60, fpExtension: ['wudo,AAAAAA=='] }],
    [ms3, '/hms/ms3/rights/', { outputControlFlags: '0000000a' }],
    [broadband, '/hms/bb/rights/', { rightsType: 'Rental', 'rental.playDuration': 60 }],
  ] as const) {
    const keys = [tokenKey(KID, policy), tokenKey(OTHER_KID)]
    const token = server.seal({ drm: family.drm, keys }, CUSTOMER, family)
    const answer = await server.ask(path, { token, body: Buffer.from([8, 4, 255, 0, 1, 2]) })
    t.equal(answer.status, 200)
    t.equal(answer.headers.get('content-type'), 'application/json')
    const text = await answer.text()
    t.match(JSON.parse(text), {
      emulated: true,
      playable: false,
      note: /no device can play/,
      tokenId: uuidOf(token),
      expiresAt: '2026-06-01T13:00:00.000Z',
      licences: [{ kid: KID, policy }, { kid: OTHER_KID }],
    })
    t.notMatch(text, '5ec2e7a0c0ffee00', 'no content key')
  }
})

t.test('refusals are JSON on these paths, whatever is asked for', async t => {
  const server = await startLicenceServer(t, { settings: { BODY_LIMIT: 2000 } })
  for (const path of [CLEAR_KEY, WIDEVINE, FAIRPLAY, '/hms/bb/rights/']) {
    const refused = await server.ask(path, { headers: { accept: 'text/html' } })
    t.equal(refused.headers.get('content-type'), 'application/json')
    const answers: [answer: Response, status: number][] = [
      [await server.ask(path, { body: 'x'.repeat(2001) }), 413],
      [await fetch(`${server.url}${path}?errorFormat=html`), 405],
      [await fetch(`${server.url}${path}further`), 404],
    ]
    for (const [answer, status] of answers) {
      t.equal(answer.status, status)
      t.match(await errorOf(answer), { code: status, requestId: answer.headers.get('x-request-id') })
    }
  }
  t.equal((await fetch(`${server.url}${CLEAR_KEY}`)).headers.get('allow'), 'POST')
})

t.test('an address is the same in every spelling, and believed from named proxies alone', async t => {
  const bound = async (ipAddress: string, forwarded: string | undefined, TRUSTED_PROXIES: string) => {
    const server = await startLicenceServer(t, { settings: { TRUSTED_PROXIES } })
    const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
    const token = server.seal({ ipAddress })
    const { status } = await server.ask(CLEAR_KEY, { token, body: clearKeyBody(KID), headers })
    const [event] = await server.events()
    return [status, event?.ip_address]
  }
  const proxy = '10.1.0.0/16,127.0.0.1'
  t.same(await bound('127.0.0.1', undefined, ''), [200, '127.0.0.1'])
  t.same(await bound('::ffff:127.0.0.1', undefined, ''), [200, '127.0.0.1'])
  t.same(await bound('203.0.113.7', '203.0.113.7', ''), [403, '127.0.0.1'], 'anybody can say that')
  t.same(await bound('203.0.113.7', '203.0.113.7', proxy), [200, '203.0.113.7'])
  t.same(await bound('203.0.113.7', '203.0.113.7, 10.1.2.3', proxy), [200, '203.0.113.7'])
  t.same(await bound('203.0.113.7', '203.0.113.7, 198.51.100.1', proxy), [403, '198.51.100.1'])
  t.same(await bound('2001:DB8:0:0::0:1', '2001:db8::1', proxy), [200, '2001:db8::1'])
  t.same(await bound('203.0.113.7', '::ffff:cb00:7107', proxy), [200, '203.0.113.7'])
  t.same(await bound('203.0.113.7', 'unknown', proxy), [403, null])
})

t.test('a device is what the header says, where it says so', async t => {
  const server = await startLicenceServer(t)
  const token = server.seal({ deviceId: DEVICE })
  for (const [path, body, drm] of [
    [CLEAR_KEY, clearKeyBody(KID), 'playready'],
    [PLAYREADY, playreadyBody(), 'playready'],
    [WIDEVINE, 'challenge', 'widevine'],
    [FAIRPLAY, 'x', 'fairplay'],
  ] as const) {
    const bound = drm === 'playready' ? token : server.seal({ drm, deviceId: DEVICE })
    const statusFrom = async (device: string) =>
      (await server.ask(path, { token: bound, body, headers: { 'x-device-id': device } })).ok
    t.same([await statusFrom(DEVICE), await statusFrom(DEVICE.toUpperCase())], [true, true], path)
    t.same(
      [await statusFrom(`${DEVICE.slice(1)}0`), await statusFrom('x'), await statusFrom('')],
      [false, false, false],
    )
  }
})

onBothEngines(t, 'redemptions in the log', async (t, database) => {
  t.test('each is an event, and each refusal of a known customer', async t => {
    const server = await startLicenceServer(t, { settings: { DATABASE_URL: await database() } })
    const token = server.seal({ cookie: 'viewer-4711' })
    const headers = { 'x-device-id': DEVICE, 'x-request-id': 'ours-1' }
    t.equal((await server.ask(CLEAR_KEY, { token, body: clearKeyBody(OTHER_KID), headers })).status, 200)
    t.same(await server.events(), [
      {
        event_id: 1,
        time: '2026-06-01T12:00:00.000Z',
        event: 'token_redeemed',
        drm: 'clearkey',
        token_id: uuidOf(token),
        kid: [OTHER_KID],
        cookie: 'viewer-4711',
        device_id: DEVICE,
        ip_address: '127.0.0.1',
        rights_type: 'BuyToOwn',
        error_code: 0,
        request_id: 'ours-1',
      },
    ])

    const asked = clearKeyBody(KID, '000000000000000000000000000000aa')
    await server.ask(CLEAR_KEY, { token, body: asked, headers })
    await server.ask(PLAYREADY, { token, body: 'no challenge' })
    await server.ask(FAIRPLAY, { token, body: 'challenge' })
    await server.ask(PLAYREADY, { token, body: playreadyBody() })
    await server.ask(CLEAR_KEY, { token: 'nobody’s' })
    await server.ask(CLEAR_KEY, { token: [token, server.seal()] })
    await server.ask(CLEAR_KEY, { token: server.seal({}, 999) })
    const events = await server.events()
    t.match(events, [
      { event_id: 5, event: 'token_redeemed', drm: 'playready', kid: [KID], error_code: 0, device_id: undefined },
      { event_id: 4, event: 'redemption_refused', drm: 'fairplay', kid: [KID, OTHER_KID], error_code: -6002 },
      { event_id: 3, event: 'redemption_refused', drm: 'playready', kid: [], error_code: -4018 },
      {
        event_id: 2,
        event: 'redemption_refused',
        drm: 'clearkey',
        token_id: uuidOf(token),
        kid: [KID, '000000000000000000000000000000aa'],
        cookie: 'viewer-4711',
        device_id: DEVICE,
        error_code: -4022,
        request_id: 'ours-1',
      },
      { event_id: 1 },
    ])
  })

  t.test('the token decides the environment, not the host', async t => {
    const server = await startLicenceServer(t, { settings: { DATABASE_URL: await database() } })
    const token = server.seal({ environment: 'production' })
    t.equal((await server.ask(CLEAR_KEY, { token, body: clearKeyBody(KID) })).status, 200)
    t.same(await server.events(), [], 'nothing in the test environment')
    const query = new URLSearchParams({ customerAuthenticator: '201722,6d1f0c5e9b3f4826a1e7c0d95b64f213' })
    const answer = await fetch(`${server.url}/cmiapi/getrecord/?${query}`)
    t.equal(answer.status, 401, 'this host is test')
    await server.close()
    const settings = { DATABASE_URL: await database(), ENVIRONMENT: 'production' }
    const other = await startLicenceServer(t, { settings })
    t.equal(
      (await other.ask(CLEAR_KEY, { token: other.seal({ environment: 'production' }), body: clearKeyBody(KID) }))
        .status,
      200,
    )
    const events = await (await fetch(`${other.url}/cmiapi/getrecord/?${query}`)).json()
    t.match(events, { events: [{ event: 'token_redeemed', event_id: 1 }] })
  })
})

t.test('the metrics count by what the licence was for, and by code', async t => {
  const server = await startLicenceServer(t)
  const token = server.seal()
  for (const body of [clearKeyBody(KID), clearKeyBody(KID), '']) await server.ask(CLEAR_KEY, { token, body })
  await server.ask(PLAYREADY, { token, body: playreadyBody('') })
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  t.match(metrics, /^expressplay_tokens_redeemed_total\{drm="clearkey",environment="test"\} 2$/m)
  t.match(metrics, /^expressplay_redemptions_refused_total\{drm="clearkey",code="-4018"\} 1$/m)
  t.match(metrics, /^expressplay_redemptions_refused_total\{drm="playready",code="-4018"\} 1$/m)
  t.notMatch(metrics, token)
})

t.test('the same refusal of one token is written three times an hour, and counted from then on', async t => {
  let uptime = 0
  const server = await startLicenceServer(t, { uptime: () => uptime })
  const [expired, other] = [server.seal({ expiresAt: NOON }), server.seal({ expiresAt: NOON })]
  const ask = async (token: string, path = CLEAR_KEY) => {
    t.equal((await errorOf(await server.ask(path, { token, body: clearKeyBody(KID) }))).code, -4010)
  }
  const written = async (token: string) =>
    (await server.events()).filter(({ token_id }) => token_id === uuidOf(token)).length
  const reports = () => server.log.filter(line => line.includes('not written')).map(line => JSON.parse(line))
  const counted = async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    return ['redemption_refusals_unwritten_total', 'redemptions_refused_total{drm="clearkey",code="-4010"}'].map(name =>
      Number(metrics.split(`\nexpressplay_${name} `)[1]?.split('\n')[0]),
    )
  }

  for (let count = 0; count < 10; count += 1) await ask(expired)
  await ask(other)
  t.same([await written(expired), await written(other)], [3, 1])
  t.same(await counted(), [7, 11], 'the metrics have all of them')
  const usable = server.seal()
  for (const kid of [OTHER_KID, '00'.repeat(16)])
    await server.ask(CLEAR_KEY, { token: usable, body: clearKeyBody(kid) })
  t.equal(await written(usable), 2, 'a redemption is always written, and so is the first refusal of another token')

  uptime = 3_599_999
  await ask(expired)
  t.same([await written(expired), reports()], [3, []])
  uptime += 1
  await ask(expired)
  t.equal(await written(expired), 4, 'an hour later it is news again')
  const most = {
    customerId: CUSTOMER,
    environment: 'test',
    tokenId: uuidOf(expired),
    errorCode: -4010,
    refusals: 8,
  }
  t.match(reports(), [{ level: 40, refusals: 8, most }], 'and the log says how many were left out')
  for (let count = 0; count < 4; count += 1) await ask(expired)
  await server.close()
  t.match(reports(), [{}, { refusals: 2 }], 'at the end as well')
})

t.test('refusals of any number of tokens take a bounded memory', async t => {
  const metrics = new Metrics()
  const refusals = new RepeatedRefusals({
    metrics,
    logger: pino({ level: 'silent' }),
    clock: machineClock({ uptime: () => 0 }),
  })
  const refuse = (tokenId: string) =>
    refusals.isWritten({
      customerId: CUSTOMER,
      environment: 'test',
      time: NOON,
      event: 'redemption_refused',
      drm: 'clearkey',
      tokenId,
      kids: [],
      errorCode: -4010,
      requestId: 'r',
    })
  const remembered = () => [1, 2, 3, 4].map(() => refuse('first'))
  t.same(remembered(), [true, true, true, false])
  for (let token = 1; token < 20_000; token += 1) refuse(`${token}`)
  t.equal(refuse('first'), false, 'as many are remembered')
  refuse('one more')
  t.same(remembered(), [true, true, true, false], 'beyond them all are forgotten')
})
