import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { RecordsAnswer } from '../../schemas/records.js'
import { sampleParameters } from '../../src/sample.js'
import { tokenIdOf } from '../../src/tokens/outer-layout.js'
import { administratorOf } from '../administrator.js'
import { FAMILIES } from '../families.js'
import { form, startTestServer } from '../harness.js'
import { keystoreOf } from '../keystore.js'
import { startCommand } from '../process.js'
import { clearKeyBody, KID, OTHER_KID } from '../redeeming.js'
import { ADMIN_TOKEN, account, LOCAL, REAL, startGateway, tokenIn } from './gateway.js'
import { answerOf, issues, startHostile, tokenNumber } from './hostile.js'

const KEK = '000102030405060708090a0b0c0d0e0f'
const BALANCE = 60

/** The service that the gateway is in front of: an emulator in a process of its own. */
async function startEmulator(t: Test): Promise<string> {
  const account = { id: 777, authenticators: REAL, balance: BALANCE }
  const folder = t.testdir({ 'accounts.json': JSON.stringify({ accounts: [account] }) })
  const settings = { ACCOUNTS_FILE: join(folder, 'accounts.json'), DATA_DIR: '', PORT: '0' }
  const [url] = await startCommand(t, ['serve'], settings).printed(/http:\/\/127\.0\.0\.1:\d+/)
  return url
}

const emulator = await startEmulator(t)

async function logOfEmulator(): Promise<RecordsAnswer['events']> {
  const query = new URLSearchParams({ customerAuthenticator: REAL.test, start: '0', length: '1000' })
  return ((await (await fetch(`${emulator}/cmiapi/getrecord/?${query}`)).json()) as RecordsAnswer).events // as documented
}

/** What the emulator gives for a token, to a client that asks it as it asks the real service. */
async function redeem(token: string, kid = KID): Promise<Response> {
  const query = new URLSearchParams({ ExpressPlayToken: token })
  return fetch(`${emulator}/hms/ck/rights/?${query}`, { method: 'POST', body: clearKeyBody(kid) })
}

const json = { accept: 'application/json' }

t.test(
  'tokens of every DRM come through in both ways of asking and all forms of answers, and are the real ones',
  async t => {
    const gateway = await startGateway(t, emulator, {}, Date.now)
    const ways = (['GET', 'POST'] as const).flatMap(method => [json, {}].map(headers => ({ method, headers })))
    for (const of of FAMILIES)
      for (const { method, headers } of ways) {
        const { family } = of
        const cookie = `${family.name} ${method} ${Object.keys(headers)}`
        const answer = await gateway.order(of, { cookie }, { method, headers })
        t.equal(answer.status, 200, cookie)
        const type = headers === json ? 'application/json' : family.answer.contentType
        t.match(answer.headers.get('content-type'), type, cookie)
        const { token = '', licenseAcquisitionUrl } = tokenIn(family, await answer.text()) ?? {}
        t.equal(licenseAcquisitionUrl, `${emulator}${family.licences.path}`, cookie)
        t.match(await (await redeem(token, sampleParameters.kid)).json(), { keys: [{ kty: 'oct' }] }, cookie)
        const [event] = await gateway.eventsOf(cookie)
        t.match(event, { event: 'token_issued', drm: family.drm, token_id: tokenIdOf(token) }, cookie)
      }
    t.equal(await gateway.paid(), 4 * FAMILIES.length)
  },
)

t.test('a token is paid for when it is issued, even of an account that pays for redemptions', async t => {
  const gateway = await startGateway(t, emulator, {}, Date.now)
  await administratorOf(gateway, ADMIN_TOKEN).patch(`/accounts/${account.id}`, { charge: 'redemption' })
  t.equal((await gateway.ask('charge')).status, 200)
  t.equal(await gateway.paid(), 1)
})

t.test('what is wrong with a request is refused here, and the upstream never hears of it', async t => {
  const gateway = await startGateway(t, emulator, {}, Date.now)
  const before = (await logOfEmulator()).length
  t.match(await gateway.ask('a', { rightsType: 'Borrow' }), { status: 400, body: { code: -2021 } })
  t.match(await gateway.ask('b', { kid: 'zz' }), { status: 400, body: { code: -4020 } })
  // The real authenticator is no key to the gateway.
  t.match(await gateway.ask('c', { customerAuthenticator: REAL.test }), { status: 401, body: { code: -2018 } })
  for (const of of FAMILIES)
    t.match(await gateway.askFor(of, 'd', { kid: 'zz' }), { status: 400, body: { code: -4020 } }, of.family.name)
  t.equal((await logOfEmulator()).length, before)
  t.match(await gateway.eventsOf('a'), [{ event: 'token_refused', error_code: -2021 }])
  t.equal(await gateway.paid(), 0)
})

t.test('a key that our key storage has is sent; another is for the upstream to find, or to refuse', async t => {
  const gateway = await startGateway(t, emulator, {}, Date.now)
  const stored = {
    customerAuthenticator: LOCAL.test,
    kek: KEK,
    body: { kid: KID, k: '5ec2e7a0c0ffee00a1b2c3d4e5f60718' },
  }
  t.equal((await keystoreOf(gateway).post('/keys', stored)).status, 201)
  const withKek = (kid: string) => ({ kid, kek: KEK, contentKey: null })
  const keyOf = '5ec2e7a0c0ffee00a1b2c3d4e5f60718'
  const theirs = { method: 'POST', body: JSON.stringify({ kid: OTHER_KID, k: '1'.repeat(32) }) }
  for (const of of FAMILIES) {
    const { name } = of.family
    const ours = await gateway.askFor(of, 'ours', withKek(KID))
    t.equal(ours.status, 200, name)
    t.match(
      await (await redeem(ours.body.token ?? '')).json(),
      { keys: [{ k: Buffer.from(keyOf, 'hex').toString('base64url') }] },
      name,
    )
    const nobodys = await gateway.askFor(of, 'nobody', withKek(OTHER_KID))
    t.match(nobodys, { status: 400, body: { code: -4019, parameter: 'kid' } }, name)
    const [refusal] = (await logOfEmulator()).slice(-1)
    t.match(
      refusal,
      { event: 'token_refused', error_code: -4019, drm: of.family.drm },
      `${name}: the upstream was asked`,
    )
  }

  const query = new URLSearchParams({ customerAuthenticator: REAL.test, kek: KEK })
  const headers = { 'content-type': 'application/json' }
  t.equal((await fetch(`${emulator}/keystore/keys?${query}`, { ...theirs, headers })).status, 201)
  for (const of of FAMILIES)
    t.equal((await gateway.askFor(of, 'theirs', withKek(OTHER_KID))).status, 200, of.family.name)
})

t.test('errors of the upstream keep code and status, in the form that is asked for', async t => {
  const gateway = await startGateway(t, emulator, {}, Date.now)
  const issued = (await logOfEmulator()).filter(({ event }) => event === 'token_issued').length
  for (let left = BALANCE - issued; left > 0; left -= 1) t.equal((await gateway.ask('use up')).status, 200)
  const answer = { status: 400, body: { code: -2019, message: 'Insufficient tokens available' } }
  for (const of of FAMILIES) {
    const { name } = of.family
    t.match(await gateway.askFor(of, `none ${name}`), answer, name)
    const page = await gateway.order(of, { errorFormat: 'html' })
    t.equal(page.status, 400, name)
    t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8', name)
    t.match(await page.text(), /-2019.*Insufficient tokens available/s, name)
    t.match(await gateway.eventsOf(`none ${name}`), [{ event: 'token_refused', error_code: -2019 }], name)
  }
})

t.test('the upstream gets what the caller said, with its own authenticator, in the body', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, `${upstream.url}/base/`, { ENVIRONMENT: 'production' })
  const asked = {
    customerAuthenticator: LOCAL.production,
    kid: null,
    contentKey: null,
    'kid.0': KID,
    'contentKey.0': 'a'.repeat(32),
    'kid.1': '^another',
    'contentKey.1': 'b'.repeat(32),
    'minCertSecurityLevel.1': '2000',
    deviceid: 'c'.repeat(32),
    playerConfig: 'true',
    expirationTime: ' 60',
    prFlag: '1&x=/?',
    ['__proto__']: '1',
    constructor: '2',
  }
  t.equal((await gateway.get(asked)).status, 200)
  const [arrival] = upstream.arrivals
  t.match(arrival?.head, /^POST \/base\/hms\/pr\/token HTTP\/1\.1\r\n/)
  t.match(arrival?.head, /^content-type: application\/x-www-form-urlencoded\r$/m)
  t.strictSame(
    new Map(arrival?.form ?? []),
    new Map(
      Object.entries({
        customerAuthenticator: REAL.production,
        errorFormat: 'json',
        'kid.0': KID,
        'contentKey.0': 'a'.repeat(32),
        'kid.1': '^another',
        'contentKey.1': 'b'.repeat(32),
        'minCertSecurityLevel.1': '2000',
        rightsType: 'BuyToOwn',
        analogVideoOPL: '0',
        compressedDigitalAudioOPL: '0',
        compressedDigitalVideoOPL: '0',
        uncompressedDigitalAudioOPL: '0',
        uncompressedDigitalVideoOPL: '0',
        deviceId: 'c'.repeat(32),
        expirationTime: '+60',
        prFlag: '1&x=/?',
        ['__proto__']: '1',
        constructor: '2',
      }),
    ),
  )

  const folder = t.testdir()
  const unknown = { ['__proto__']: '1', constructor: '2' }
  const recording = await startGateway(t, upstream.url, { RECORD_DIR: folder })
  t.equal((await recording.ask('recorded', unknown)).status, 200)
  await recording.close()
  const replaying = await startTestServer(t, { settings: { MODE: 'replay', RECORD_DIR: folder } })
  t.equal((await replaying.post({ cookie: 'recorded', ...unknown })).status, 200, 'the same request, replayed')

  const dropping = await startGateway(t, upstream.url, { UPSTREAM_UNKNOWN_PARAMETERS: 'drop' })

  t.test('what a lenient upstream may take for a parameter of ours is not passed on, and is named', async t => {
    const upstream = await startHostile(t, issues)
    const gateway = await startGateway(t, upstream.url)
    const plain = await gateway.get({ customerAuthenticator: LOCAL.test })
    t.equal(plain.headers.get('x-ignored-parameters'), null)
    const expected = [...(upstream.arrivals[0]?.form ?? [])]

    const variants = [
      ...[
        'ContentKey',
        'CONTENTKEY',
        'contentKey[]',
        'contentKey[0]',
        '[contentKey]',
        'contentKey[',
        'contentKey[x][y]',
      ],
      ...['kid.01', 'kid.00', 'kid.', '.kid', 'kid[01]', 'kid.1.0', 'contentKey.-1', 'contentKey.0x0', 'content_key'],
      ...[
        'contentKey%00',
        'contentKey%00.jpg',
        'contentKey%20',
        '%20contentKey',
        '%0akek',
        'contentKey%2500',
        'kek%255b0%255d',
      ],
      ...['rental.periodendtime', 'rental_playDuration', 'rental[playDuration]', 'USEHTTPS', 'device-id'],
      ...[
        'CustomerAuthenticator',
        'customerAuthenticator[]',
        'customerAuthenticator.0',
        'errorformat',
        'ErrorFormat.1',
      ],
      ...['%EF%BD%8Bid', '%E2%84%AAid', 'deviceid.0', 'Cookie', 'COOKIE[]', 'expirationTime.0', 'playerconfig'],
    ]
    for (const variant of variants) {
      const query = `${form({ customerAuthenticator: LOCAL.test })}&${variant}=00&prFlag=1`
      const answer = await fetch(`${gateway.url}/hms/pr/token?${query}`)
      t.equal(answer.status, 200, variant)
      t.strictSame(upstream.arrivals.at(-1)?.form.get('prFlag'), '1')
      t.strictSame(
        [...(upstream.arrivals.at(-1)?.form ?? [])].filter(([name]) => name !== 'prFlag'),
        expected,
        variant,
      )
      const named = (answer.headers.get('x-ignored-parameters') ?? '').split(', ')
      t.equal(named.length, 2, `${variant} is named: ${named}`)
    }
  })
  t.equal((await dropping.ask('dropped', { prFlag: '1' })).status, 200)
  t.equal(upstream.arrivals[2]?.form.get('cookie'), 'dropped')
  t.notOk(upstream.arrivals[2]?.form.has('prFlag'))
})

t.test('every DRM is asked at its own path for what the caller said, and for nothing more', async t => {
  const upstream = await startHostile(t, ({ socket, head }) => {
    const of = FAMILIES.find(({ family }) => head.startsWith(`POST ${family.tokenPath} `))
    socket.write(answerOf(of?.answer(tokenNumber(1)) ?? ''))
  })
  const gateway = await startGateway(t, upstream.url)
  const own: Readonly<Record<string, [name: string, value: string][]>> = {
    playready: [['minCertSecurityLevel', '2000']],
    widevine: [
      ['wvExtension', 'wudo,AAAAAA=='],
      ['wvExtension', 'wude,AQEBAQ=='],
      ['trackType', '1'],
    ],
    fairplay: [['deviceId', 'c'.repeat(32)]],
    ms3: [
      ['contentURL', 'https://media.example.com/a.mpd?x=1&y'],
      ['ms3SchemeType', 'ms3hs'],
    ],
    bb: [['outputControlOverrideId', 'urn:x']],
  }
  for (const { family, order } of FAMILIES) {
    const given = new URLSearchParams([
      ...Object.entries({ customerAuthenticator: LOCAL.test, ...order, expirationTime: ' 60', prFlag: '1' }),
      ...(own[family.name] ?? []),
    ])
    const answer = await fetch(`${gateway.url}${family.tokenPath}?${given}`)
    t.equal(answer.status, 200, family.name)
    const { token } = tokenIn(family, await answer.text()) ?? {}
    t.equal(token, tokenNumber(1), family.name)
    given.set('customerAuthenticator', REAL.test)
    given.set('errorFormat', 'json')
    given.set('expirationTime', '+60')
    t.same([...(upstream.arrivals.at(-1)?.form ?? [])].sort(), [...given].sort(), family.name)
  }
})

t.test('several keys of a Marlin token keep their names, and a registration has none', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url)
  const [ms3, bb] = FAMILIES.filter(({ family }) => family.drm === 'marlin')
  if (ms3 === undefined || bb === undefined) throw new Error('no Marlin')
  const two = { kid: null, contentKey: null, 'kid.0': KID, 'kid.1': OTHER_KID, 'contentKey.0': 'a'.repeat(32) }
  const same = { 'contentId.0': 'film', 'contentId.1': 'film', 'contentKey.1': 'b'.repeat(32) }
  t.equal((await gateway.askFor(ms3, 'two', { ...two, ...same })).status, 200)
  const keys = { 'kid.0': KID, 'kid.1': OTHER_KID, 'contentKey.0': 'a'.repeat(32), ...same }
  t.match(Object.fromEntries(upstream.arrivals.at(-1)?.form ?? []), keys)

  const registration = { actionTokenType: '0', userId: 'user-1', userKey: 'd'.repeat(32) }
  const none = { kid: null, contentKey: null, rightsType: null }
  t.equal((await gateway.askFor(bb, 'registers', { ...none, ...registration })).status, 200)
  const { customerAuthenticator, errorFormat, cookie, ...sent } = Object.fromEntries(
    upstream.arrivals.at(-1)?.form ?? [],
  )
  t.same(sent, registration)
})

t.test('a gateway assumes nothing, as the upstream decides; a strict one refuses before it asks', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url)
  const widevine = FAMILIES.find(({ family }) => family.name === 'widevine')
  if (widevine === undefined) throw new Error('no Widevine')
  const missing = { securityLevel: null, hdcpOutputControl: null }
  const lenient = await gateway.order(widevine, missing)
  t.equal(lenient.status, 200)
  t.equal(lenient.headers.get('x-assumed-parameters'), null)
  for (const name of Object.keys(missing)) t.notOk(upstream.arrivals[0]?.form.has(name), name)

  const strict = await startGateway(t, upstream.url, { STRICT_PARAMETERS: 'true' })
  t.match(await strict.askFor(widevine, 'strict', missing), { status: 400, body: { code: -7003 } })
  t.equal(upstream.arrivals.length, 1)
  t.equal(await strict.paid(), 0)
})

t.test(
  'with an Idempotency-Key every DRM is asked once, and answered in the form that each request asks for',
  async t => {
    const upstream = await startHostile(t, issues)
    const gateway = await startGateway(t, upstream.url)
    for (const of of FAMILIES) {
      const { name, answer } = of.family
      const key = { 'idempotency-key': name }
      const first = await gateway.order(of, {}, { headers: key })
      const again = await gateway.order(of, {}, { headers: key })
      t.equal(again.headers.get('idempotency-replayed'), 'true', name)
      const text = await first.text()
      t.equal(await again.text(), text, name)
      const asJson = await gateway.order(of, {}, { headers: { ...key, ...json } })
      t.same(await asJson.json(), answer.read(text) ?? JSON.parse(text), name)
    }
    t.equal(upstream.arrivals.length, FAMILIES.length)
  },
)
