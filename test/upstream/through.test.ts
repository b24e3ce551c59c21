import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { RecordsAnswer } from '../../schemas/records.js'
import { administratorOf } from '../administrator.js'
import { form, startTestServer, uuidOf } from '../harness.js'
import { keystoreOf } from '../keystore.js'
import { startCommand } from '../process.js'
import { clearKeyBody, KID, OTHER_KID } from '../redeeming.js'
import { ADMIN_TOKEN, account, type Gateway, LOCAL, REAL, startGateway } from './gateway.js'
import { issues, startHostile } from './hostile.js'

const KEK = '000102030405060708090a0b0c0d0e0f'
const BALANCE = 20

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
async function redeem(token: string): Promise<Response> {
  const query = new URLSearchParams({ ExpressPlayToken: token })
  return fetch(`${emulator}/hms/ck/rights/?${query}`, { method: 'POST', body: clearKeyBody(KID) })
}

const order = { customerAuthenticator: LOCAL.test, kid: KID, errorFormat: 'json' }
const json = { accept: 'application/json' }

t.test('tokens come through in both ways of asking and all forms of answers, and are the real ones', async t => {
  const gateway = await startGateway(t, emulator, {}, Date.now)
  for (const [method, headers, type] of [
    ['get', json, 'application/json'],
    ['post', json, 'application/json'],
    ['get', {}, 'text/uri-list'],
    ['post', {}, 'text/uri-list'],
  ] as const) {
    const answer = await gateway[method]({ ...order, cookie: `${method} ${type}` }, headers)
    t.equal(answer.status, 200)
    t.equal(answer.headers.get('content-type'), type)
    const { token, licenseAcquisitionUrl } = (await answer.json()) as { token: string; licenseAcquisitionUrl: string } // 200
    t.equal(licenseAcquisitionUrl, `${emulator}/playready/RightsManager.asmx`)
    t.match(await (await redeem(token)).json(), { keys: [{ kty: 'oct' }] })
    const [event] = await gateway.eventsOf(`${method} ${type}`)
    t.match(event, { event: 'token_issued', token_id: uuidOf(token), kid: [KID] })
  }
  t.equal(await gateway.paid(), 4)
})

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
  const ours = await askWithKek(gateway, KID)
  t.equal(ours.status, 200)
  t.match(await (await redeem(((await ours.json()) as { token: string }).token)).json(), {
    keys: [{ k: Buffer.from('5ec2e7a0c0ffee00a1b2c3d4e5f60718', 'hex').toString('base64url') }],
  })
  const nobodys = await askWithKek(gateway, OTHER_KID)
  t.equal(nobodys.status, 400)
  t.match(await nobodys.json(), { code: -4019, parameter: 'kid' })
  const [refusal] = (await logOfEmulator()).slice(-1)
  t.match(refusal, { event: 'token_refused', error_code: -4019 }, 'the upstream was asked')

  const theirs = { method: 'POST', body: JSON.stringify({ kid: OTHER_KID, k: '1'.repeat(32) }) }
  const query = new URLSearchParams({ customerAuthenticator: REAL.test, kek: KEK })
  const headers = { 'content-type': 'application/json' }
  t.equal((await fetch(`${emulator}/keystore/keys?${query}`, { ...theirs, headers })).status, 201)
  t.equal((await askWithKek(gateway, OTHER_KID)).status, 200)
})

function askWithKek(gateway: Gateway, kid: string): Promise<Response> {
  return gateway.post({ ...order, kid, kek: KEK, contentKey: null }, json)
}

t.test('errors of the upstream keep code and status, in the form that is asked for', async t => {
  const gateway = await startGateway(t, emulator, {}, Date.now)
  const issued = (await logOfEmulator()).filter(({ event }) => event === 'token_issued').length
  for (let left = BALANCE - issued; left > 0; left -= 1) t.equal((await gateway.ask('use up')).status, 200)
  const answer = { status: 400, body: { code: -2019, message: 'Insufficient tokens available' } }
  t.match(await gateway.ask('none'), answer)
  const page = await gateway.post({ ...order, errorFormat: 'html' })
  t.equal(page.status, 400)
  t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
  t.match(await page.text(), /-2019.*Insufficient tokens available/s)
  t.match(await gateway.eventsOf('none'), [{ event: 'token_refused', error_code: -2019 }])
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
