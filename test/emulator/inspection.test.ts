import t from 'tap'
import { inspection } from '../../schemas/inspection.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { CONTENT_KEY, errorOf, NOON, startTestServer, tokenOf } from '../harness.js'
import { clearKeyBody, DEVICE, KID, startLicenceServer, tokenKey } from '../redeeming.js'

const HOUR = 3_600_000
const CLEAR_KEY = '/hms/ck/rights/'
const OWN = '201722,1ad8eed133edf43cbcc185f0236828ae'
const REDEEMING = '77,0123456789abcdef0123456789abcdef'

/** Accounts whose redemptions are counted. */
const accounts = [
  { id: 201722, authenticators: { test: OWN } },
  { id: 2, authenticators: { test: '2,00000000000000000000000000000002' }, enabled: false },
  { id: 77, authenticators: { test: REDEEMING }, balance: 1, charge: 'redemption' },
  { id: 78, authenticators: { test: '78,00000000000000000000000000000078' }, maxRedemptions: 1 },
] as const

t.test('what a token says is said, its keys only where they are asked for', async t => {
  const server = await startLicenceServer(t)
  const admin = administratorOf(server)
  const answer = await server.get({ cookie: 'viewer', expirationTime: '+60' })
  const text = await answer.clone().text()
  const token = await tokenOf(answer)
  const inspected = await bodyOf(inspection, admin.post('/inspect', { token }))
  t.match(inspected, {
    token: {
      customerId: 201722,
      drm: 'playready',
      environment: 'test',
      issuedAt: new Date(NOON).toISOString(),
      expiresAt: new Date(NOON + 60_000).toISOString(),
      cookie: 'viewer',
      charge: 'issue',
      keys: [{ contentKey: '*'.repeat(32), policy: { rightsType: 'BuyToOwn', analogVideoOPL: 0 } }],
    },
    at: new Date(NOON).toISOString(),
    address: '127.0.0.1',
  })
  t.same(inspected.token.keys[0]?.inWords, [
    'The content is bought.',
    'The licence ends with the playback session.',
    'Analog video needs output protection level 0.',
    'Compressed digital audio needs output protection level 0.',
    'Compressed digital video needs output protection level 0.',
    'Uncompressed digital audio needs output protection level 0.',
    'Uncompressed digital video needs output protection level 0.',
    'The PlayReady licence has no end.',
  ])
  t.notMatch(JSON.stringify(inspected), CONTENT_KEY)
  const shown = await bodyOf(inspection, admin.post('/inspect', { token: text, keys: true }))
  t.equal(shown.token.keys[0]?.contentKey, CONTENT_KEY, 'of the token in a whole answer')
  t.same(await server.inspect(token), inspected, 'the library says the same')
})

t.test('each licence endpoint says what redeeming would give', async t => {
  const server = await startLicenceServer(t)
  const token = await tokenOf(await server.get({ expirationTime: '+60' }))
  const { licences } = await server.inspect(token)
  const named = Object.fromEntries(licences.map(one => [one.drm, one]))
  t.match(named, {
    clearkey: { paths: [CLEAR_KEY], granted: true },
    playready: { granted: true },
    widevine: { granted: false, code: -4010, message: '[-4010] Invalid token: it is for playready, not for widevine' },
  })
  const { licences: later } = await server.inspect(token, { at: new Date(NOON + 60_000) })
  t.match(later[0], { granted: false, code: -4010, message: /it expired at/ })
  t.match((await server.inspect(token, { at: '2026-06-01T12:00:59.999Z' })).licences[0], { granted: true })
})

t.test('without a moment, it is now by the clock of the account', async t => {
  const server = await startTestServer(t)
  const token = await tokenOf(await server.get())
  t.match((await server.inspect(token)).licences[0], { granted: true })
  await server.clock.of(201722).advance('31d')
  t.match(await server.inspect(token), {
    at: '2026-07-02T12:00:00.000Z',
    licences: [{ granted: false, code: -4010, message: /it expired at/ }],
  })
})

t.test('inspecting foresees what redeeming then does, and leaves no trace', async t => {
  const server = await startLicenceServer(t, { accounts })
  const admin = administratorOf(server)
  const ended = { 'rental.periodEndTime': NOON, rightsType: 'Rental' }
  const cases: Record<string, string> = {
    granted: server.seal(),
    expired: server.seal({ expiresAt: NOON }),
    'at another address': server.seal({ ipAddress: '192.0.2.1' }),
    'on another device': server.seal({ deviceId: DEVICE }),
    'of a disabled account': server.seal({}, 2),
    'of an account that is not there': server.seal({}, 99),
    'after the rental': server.seal({ keys: [tokenKey(KID, ended)] }),
    'for the first time, with a balance': server.seal({ charge: 'redemption' }, 77),
    'for the first time': server.seal({}, 78),
  }
  const refusalOf = async (answer: Response) => (answer.ok ? 'granted' : (await errorOf(answer)).message)
  const foreseen = async (token: string) => {
    const answer = await bodyOf(inspection, admin.post('/inspect', { token }))
    const { granted, message } = answer.licences.find(({ drm }) => drm === 'clearkey') ?? {}
    return granted ? 'granted' : message
  }
  const redeem = (token: string) => server.ask(CLEAR_KEY, { token, body: clearKeyBody(KID) })

  for (const [title, token] of Object.entries(cases)) {
    for (let times = 0; times < 5; times++) await foreseen(token)
    const before = await server.events()
    const expected = await foreseen(token)
    t.same(await server.events(), before, 'it is not logged')
    t.equal(await refusalOf(await redeem(token)), expected, title)
  }
  const [once = '', counted = ''] = [cases['for the first time, with a balance'], cases['for the first time']]
  t.equal(await foreseen(once), 'granted', 'it is paid for')
  t.match(await foreseen(server.seal({ charge: 'redemption' }, 77)), /^\[-2019\]/, 'the balance is used up')
  t.match(await foreseen(counted), /redeemed as often as it may be, which is 1/)
  t.equal(await refusalOf(await redeem(counted)), await foreseen(counted))
})

t.test('a redemption may be foreseen from another address, by another device', async t => {
  const server = await startLicenceServer(t)
  const token = server.seal({ ipAddress: '192.0.2.1', deviceId: DEVICE })
  const code = async (options: object) => {
    const { licences } = await server.inspect(token, options)
    return licences[0]?.code ?? 200
  }
  t.equal(await code({}), -2003)
  t.equal(await code({ address: '192.0.2.1' }), -4001)
  t.equal(await code({ address: '192.0.2.1', deviceId: DEVICE.toUpperCase() }), 200)
  t.equal(await code({ address: '192.0.2.2', deviceId: DEVICE }), -2003)
  t.match(await server.inspect(server.seal({ expiresAt: NOON + HOUR }), { address: '::1' }), { address: '::1' })
})

t.test('a policy is said in words, whichever DRM it is of', async t => {
  const server = await startLicenceServer(t)
  const words = async (drm: string, policy: object) => {
    const token = server.seal({ drm, keys: [tokenKey(KID, policy)] })
    return (await server.inspect(token)).token.keys[0]?.inWords
  }
  const rental = { rightsType: 'Rental', generalFlags: '00000001', 'rental.periodEndTime': NOON + HOUR }
  const rented = await words('playready', { ...rental, 'rental.playDuration': 172_800, minCertSecurityLevel: 2000 })
  for (const sentence of [
    'The content is rented.',
    'The licence is persistent.',
    `Playable until ${new Date(NOON + HOUR).toISOString()}.`,
    'Playable for 2 days once play has started.',
    'The client needs PlayReady security level 2000 or higher.',
  ])
    t.ok(rented?.includes(sentence), sentence)
  t.notOk(rented?.some(sentence => sentence.includes('no end')))
  t.strictSame(await words('widevine', { securityLevel: 3, hdcpOutputControl: 2, trackType: 1, licenseDuration: 90 }), [
    'The licence ends with the playback session.',
    'The client needs robustness HW_SECURE_CRYPTO or higher.',
    'Outputs need HDCP_V2.',
    'Playable for 90 seconds once play has started.',
    'The key is for HD tracks.',
  ])
})

t.test('what is no token of this server is refused, and the reason is said', async t => {
  const server = await startLicenceServer(t)
  const admin = administratorOf(server)
  const token = await tokenOf(await server.get())
  const changed = token.replace(/.$/, last => (last === 'A' ? 'Q' : 'A'))
  const cases: [body: unknown, status: number, parameter: string, message: RegExp][] = [
    [{ token: 'hello' }, 400, 'token', /is not a token/],
    [{ token: '' }, 400, 'token', /./],
    [{ token: 'A'.repeat(40_000) }, 400, 'token', /./],
    [{}, 400, 'token', /./],
    [{ token: changed }, 404, 'token', /was changed/],
    [{ token, at: 'tomorrow' }, 400, 'at', /RFC 3339/],
    [{ token, address: 'home' }, 400, 'address', /IP address/],
    [{ token, deviceId: 'x' }, 400, 'deviceId', /32 hex digits/],
    [{ token, keys: 'yes' }, 400, 'keys', /./],
    [{ tokn: token }, 400, 'token', /./],
  ]
  for (const [body, status, parameter, message] of cases) {
    const answer = await admin.post('/inspect', body)
    const error = await errorOf(answer)
    t.match({ status: answer.status, ...error }, { status, parameter, message }, JSON.stringify(body).slice(0, 60))
    t.notMatch(error.message, token)
  }
  const stranger = await startLicenceServer(t, { settings: { TOKEN_KEYS: '34'.repeat(32) } })
  await t.rejects(stranger.inspect(token), /another server/)
  await t.rejects(server.inspect('hello'), /is not a token/)
})
