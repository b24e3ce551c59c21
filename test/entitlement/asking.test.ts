import type { Test } from 'tap'
import t from 'tap'
import { REGISTRATION_KID } from '../../src/entitlement/registration.js'
import type { TokenDrm } from '../../src/ground/drms.js'
import { startServer } from '../../src/index.js'
import { uuidOf } from '../../src/pssh/kid-forms.js'
import type { TokenContent } from '../../src/tokens/token-content.js'
import { administratorOf } from '../administrator.js'
import { errorOf } from '../harness.js'
import {
  CUSTOMER,
  clearKeyBody,
  DEVICE,
  KID,
  type LicenceServer,
  OTHER_KID,
  playreadyBody,
  startLicenceServer,
  tokenKey,
} from '../redeeming.js'
import { TestAuthority } from './certificates.js'
import { denies, type Peer, says, startPeer } from './peer.js'

const contentID = '3f2504e0-4f89-11d3-9a0c-0305e82c3301'
const CLEAR_KEY = '/hms/ck/rights/'
const PLAYREADY = '/playready/RightsManager.asmx'
const KEY = { keys: [{ kid: 'M0tdPUT1T1akEOB8qqcWDg' }] }

interface Asking extends LicenceServer {
  readonly peer: Peer
  /** Asks Clear Key for the first key. */
  play(query: Query, headers?: Record<string, string>): Promise<Response>
  /** What the peer says of a viewer who may have this token. */
  allows(content?: Partial<TokenContent>, customerId?: number): ReturnType<typeof says>
}

type Query = Record<string, string> | [string, string][]

/** A licence server that asks a service which is not ours. */
async function startAsking(t: Test, settings: Record<string, string | number> = {}): Promise<Asking> {
  const peer = await startPeer(t, denies(1, 'No'))
  const { cert, key, ca } = peer.identity
  const folder = t.testdir({ 'client.pem': cert, 'client.key.pem': key, 'ca.pem': ca })
  const server = await startLicenceServer(t, {
    settings: {
      ENTITLEMENT_URL: peer.url,
      ENTITLEMENT_URL_CERT: `${folder}/client.pem`,
      ENTITLEMENT_URL_KEY: `${folder}/client.key.pem`,
      ENTITLEMENT_URL_CA: `${folder}/ca.pem`,
      ...settings,
    },
  })
  return {
    ...server,
    peer,
    play: (query, headers = {}) => postTo(`${server.url}${CLEAR_KEY}`, query, clearKeyBody(KID), headers),
    allows: (content, customerId) =>
      says({ epTokenURL: `https://pr.example.com/rights?ExpressPlayToken=${server.seal(content, customerId)}` }),
  }
}

function postTo(url: string, query: Query, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}?${new URLSearchParams(query)}`, { method: 'POST', body, headers })
}

t.test('without a token: who may have the content gets a licence, and the redemption is in the log', async t => {
  const server = await startAsking(t)
  server.peer.answer = server.allows({ cookie: 'viewer-4711' })
  const answer = await server.play({ contentID, customerCookie: 'viewer-4711' }, { 'x-device-id': DEVICE })
  t.equal(answer.status, 200)
  t.match(await answer.json(), KEY)
  t.match(server.peer.asked, [{ contentID, customerCookie: 'viewer-4711', requestType: 1, version: 1 }])
  t.equal(server.peer.asked.length, 1, 'the token that it gives is its answer')
  t.match(await server.events(), [{ event: 'token_redeemed', cookie: 'viewer-4711', device_id: DEVICE }])

  server.peer.answer = server.allows()
  const playready = await postTo(`${server.url}${PLAYREADY}`, { contentID }, playreadyBody())
  t.equal(playready.status, 200)
  t.match(await playready.text(), `<Licence kid="${KID}"`)
  t.notOk('customerCookie' in (server.peer.asked[1] ?? {}))
})

t.test('without a token: what it gives is checked as any token', async t => {
  const server = await startAsking(t)
  const admin = administratorOf(server)
  await admin.patch(`/accounts/${CUSTOMER}`, { maxRedemptions: 1 })
  const bound = { deviceId: DEVICE, cookie: 'viewer-4711' }
  const asking = { contentID, requestType: '3', customerCookie: 'viewer-4711' }
  server.peer.answer = server.allows(bound)
  t.match(await (await server.play(asking, { 'x-device-id': DEVICE })).json(), KEY)
  t.match(server.peer.asked[0], { requestType: 3, customerCookie: 'viewer-4711' })
  const refusals: [content: Partial<TokenContent>, headers: Record<string, string>, code: number][] = [
    [bound, { 'x-device-id': 'f'.repeat(32) }, -4001],
    [bound, {}, -4001],
    [{ ipAddress: '203.0.113.7' }, {}, -2003],
    [{ expiresAt: 1 }, {}, -4010],
    [{ keys: [tokenKey(OTHER_KID)] }, {}, -4022],
  ]
  for (const [content, headers, code] of refusals) {
    server.peer.answer = server.allows(content)
    t.match(await errorOf(await server.play(asking, headers)), { code })
    t.match((await server.events())[0], { event: 'redemption_refused', error_code: code })
  }
  server.peer.answer = server.allows({}, 2)
  t.match(await errorOf(await server.play(asking)), { code: -2031 })
  server.peer.answer = says()
  t.match(await errorOf(await server.play(asking)), { code: -4010, message: /not made by this service/ })
  const once = server.allows()
  server.peer.answer = once
  t.equal((await server.play(asking)).status, 200)
  t.match(await errorOf(await server.play(asking)), { code: -4010, message: /redeemed as often/ })
})

t.test('without a token: a denial is told in the words of the service, in the form of each family', async t => {
  const server = await startAsking(t)
  server.peer.answer = denies(4711, 'Buy <it> & watch')
  for (const path of [CLEAR_KEY, '/hms/wv/rights/', '/hms/fp/rights/']) {
    const answer = await postTo(server.url + path, { contentID }, clearKeyBody(KID), { origin: 'https://a.example' })
    t.equal(answer.status, 403)
    t.match(await errorOf(answer), { code: 4711, message: 'Buy <it> & watch', requestId: /./ })
    t.equal(answer.headers.get('access-control-allow-origin'), '*')
  }
  const fault = await postTo(`${server.url}${PLAYREADY}`, { contentID }, playreadyBody())
  t.equal(fault.status, 500)
  const text = await fault.text()
  t.match(text, '<StatusCode>0x8004C604</StatusCode>')
  t.match(text, '<faultstring>[4711] Buy &lt;it&gt; &amp; watch</faultstring>')
  t.match(text, '<CustomData>{"code":4711,"message":"[4711] Buy &lt;it&gt; &amp; watch","requestId":')
  t.same(await server.events(), [], 'whose viewer it was nobody knows')
  t.ok(server.log.some(line => line.includes('denied a licence') && line.includes(contentID) && line.includes('4711')))
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  t.match(metrics, 'expressplay_redemptions_refused_total{drm="clearkey",code="403"} 1')
  t.notMatch(metrics, '4711')
})

t.test('what the service does not clearly allow is denied', async t => {
  const server = await startAsking(t)
  const denials: [answer: Peer['answer'], code: number][] = [
    [says({ messageID: '00000000-0000-4000-8000-000000000002' }), 1307],
    [says({ version: 2 }), 1308],
    [says({ epTokenURL: '' }), 1309],
    [(_asked, reply) => void reply.writeHead(503).end(), 1304],
    [(_asked, reply) => void reply.destroy(), 1301],
  ]
  const queries: Query[] = [{ contentID }, { ExpressPlayToken: server.seal() }]
  for (const [answer, code] of denials)
    for (const query of queries) {
      server.peer.answer = answer
      const refused = await server.play(query)
      t.equal(refused.status, 403)
      t.match(await errorOf(refused), { code })
    }
  t.ok(server.log.some(line => line.includes('"level":40') && line.includes('"reason":"otherMessage"')))
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  t.match(metrics, 'expressplay_redemptions_refused_total{drm="clearkey",code="1307"} 2')
})

t.test('a service that does not answer in time', async t => {
  const server = await startAsking(t, { ENTITLEMENT_URL_TIMEOUT: 150 })
  server.peer.answer = () => {}
  t.match(await errorOf(await server.play({ contentID })), { code: 1302 })
  t.match(await errorOf(await server.play({ ExpressPlayToken: server.seal() })), { code: 1302 })
  t.match((await server.events())[0], { event: 'redemption_refused', error_code: 1302 })
})

t.test('a service that is not there, or that another authority has certified', async t => {
  const gone = await startAsking(t, { ENTITLEMENT_URL: 'https://127.0.0.1:1' })
  t.match(await errorOf(await gone.play({ contentID })), { code: 1301 })
  t.ok(gone.log.some(line => line.includes('ECONNREFUSED')))
  const folder = t.testdir({ 'other.pem': (await TestAuthority.create()).cert })
  const peer = await startPeer(t, says())
  const untrusting = await startLicenceServer(t, {
    settings: { ENTITLEMENT_URL: peer.url, ENTITLEMENT_URL_CA: `${folder}/other.pem` },
  })
  const token = untrusting.seal()
  const refused = await untrusting.ask(CLEAR_KEY, { token, body: clearKeyBody(KID) })
  t.match(await errorOf(refused), { code: 1303 })
  t.equal(peer.asked.length, 0)
})

t.test('with a token: it is asked about as well, last of all', async t => {
  const server = await startAsking(t)
  server.peer.answer = says()
  const token = server.seal({ cookie: 'viewer-4711', keys: [tokenKey(OTHER_KID), tokenKey(KID)] })
  t.match(await (await server.play({ ExpressPlayToken: token })).json(), KEY, 'the licence of the token itself')
  t.match(server.peer.asked[0], {
    contentID: '334b5d3d-44f5-4f56-a410-e07caaa7160e',
    customerCookie: 'viewer-4711',
    requestType: 1,
  })
  const claim = { contentID, customerCookie: 'viewer-1', requestType: '3' }
  t.equal((await server.play({ ExpressPlayToken: token, ...claim })).status, 200)
  t.match(server.peer.asked[1], { contentID, customerCookie: 'viewer-4711', requestType: 3 })

  server.peer.answer = denies(1103, 'The content is not available any more')
  const denied = await server.play({}, { ExpressPlayToken: token })
  t.equal(denied.status, 403)
  t.match(await errorOf(denied), { code: 1103, message: 'The content is not available any more' })
  const [refusal, ...before] = await server.events()
  t.match(refusal, { event: 'redemption_refused', error_code: 1103, cookie: 'viewer-4711', kid: [KID] })
  t.match(
    before.map(({ event }) => event),
    ['token_redeemed', 'token_redeemed'],
  )
  const count = server.peer.asked.length
  const refused = await server.play({ ExpressPlayToken: server.seal({ deviceId: DEVICE }), contentID })
  t.match(await errorOf(refused), { code: -4001 })
  t.equal(server.peer.asked.length, count, 'what the token itself does not allow is not asked')
})

t.test('with a token every key that is asked for is asked about, and one denial denies them all', async t => {
  const server = await startAsking(t)
  const ExpressPlayToken = server.seal({ keys: [tokenKey(KID), tokenKey(OTHER_KID)] })
  const play = () => server.ask(CLEAR_KEY, { token: ExpressPlayToken, body: clearKeyBody(KID, OTHER_KID, KID) })
  server.peer.answer = says()
  t.equal((await play()).status, 200)
  t.same(server.peer.asked.map(({ contentID }) => contentID).sort(), [uuidOf(OTHER_KID), uuidOf(KID)].sort())
  server.peer.answer = (asked, ...rest) =>
    (asked.contentID === uuidOf(KID) ? says() : denies(4711, 'Not this one'))(asked, ...rest)
  t.match(await errorOf(await play()), { code: 4711 })
})

t.test('with a token: a cookie that is empty is none', async t => {
  const server = await startAsking(t)
  server.peer.answer = says()
  t.equal((await server.play({ ExpressPlayToken: server.seal({ cookie: '' }) })).status, 200)
  t.notOk('customerCookie' in (server.peer.asked[0] ?? {}))
})

t.test('a device that registers itself is not asked about', async t => {
  const server = await startAsking(t)
  const registration = { cookie: 'viewer-4711', keys: [tokenKey(REGISTRATION_KID)] }
  const redeem = (content: Partial<TokenContent>) =>
    server.ask(CLEAR_KEY, { token: server.seal(content), body: clearKeyBody(REGISTRATION_KID) })
  t.equal((await redeem(registration)).status, 200)
  t.equal(server.peer.asked.length, 0)
  const both = await redeem({ keys: [...registration.keys, tokenKey(KID)] })
  t.match(await errorOf(both), { code: 1 }, 'only where it is the only key')
})

t.test('with ENTITLEMENT_URL_WHEN=without-token a token is enough', async t => {
  const server = await startAsking(t, { ENTITLEMENT_URL_WHEN: 'without-token' })
  const ExpressPlayToken = server.seal()
  t.equal((await server.play({ ExpressPlayToken, contentID: 'nothing that is read' })).status, 200)
  t.equal(server.peer.asked.length, 0)
  t.match(await errorOf(await server.play({ contentID })), { code: 1 })
  server.peer.answer = server.allows()
  t.equal((await server.play({ contentID })).status, 200)
})

t.test('what a query says of the viewer is checked before anybody is asked', async t => {
  const server = await startAsking(t)
  server.peer.answer = server.allows()
  const wrong: [query: Query, parameter: string][] = [
    [{ contentID: 'film-7' }, 'contentID'],
    [{ contentID: KID }, 'contentID'],
    [{ contentID, customerCookie: 'x'.repeat(33) }, 'customerCookie'],
    [{ contentID, customerCookie: 'a\nb' }, 'customerCookie'],
    [{ contentID, requestType: '2' }, 'requestType'],
    [{ contentID, requestType: '3' }, 'customerCookie'],
    [{ ExpressPlayToken: server.seal(), requestType: '3' }, 'customerCookie'],
    [
      [
        ['contentID', contentID],
        ['contentID', contentID],
      ],
      'contentID',
    ],
  ]
  for (const [query, parameter] of wrong) {
    const answer = await server.play(query)
    t.equal(answer.status, 400)
    t.match(await errorOf(answer), {
      code: 400,
      message: new RegExp(`${parameter}|needs a cookie`),
      parameter,
    })
  }
  t.match(await errorOf(await server.play({})), { code: -4010, message: /no token was sent/ })
  t.match(await errorOf(await server.play({ contentID: '' })), { code: -4010, message: /no token was sent/ })
  t.equal(server.peer.asked.length, 0)
  t.equal((await server.play({ contentID, customerCookie: '', requestType: '' })).status, 200, 'an empty one is none')
})

t.test('where nobody is asked, the query says nothing', async t => {
  const server = await startLicenceServer(t)
  const answer = await postTo(`${server.url}${CLEAR_KEY}`, { contentID, requestType: '9' }, clearKeyBody(KID))
  t.match(await errorOf(answer), { code: -4010, message: /no token was sent/ })
})

t.test('certificates that are none keep the service from starting', async t => {
  const { cert, key } = await (await TestAuthority.create()).issue()
  const folder = t.testdir({ 'empty.pem': '', 'cert.pem': cert, 'key.pem': key })
  const settings = { ENTITLEMENT_URL: 'https://127.0.0.1' }
  const file = (name: string) => `${folder}/${name}.pem`
  const wrong = [
    { ENTITLEMENT_URL_CA: file('empty') },
    { ENTITLEMENT_URL_CERT: file('empty'), ENTITLEMENT_URL_KEY: file('empty') },
    { ENTITLEMENT_URL_CERT: file('key'), ENTITLEMENT_URL_KEY: file('cert') },
  ]
  for (const files of wrong)
    await t.rejects(startServer({ settings: { ...settings, ...files } }), {
      name: 'ConfigError',
      message: /^ENTITLEMENT_URL_/,
    })
})

t.test('tokens of every DRM, as the token URL of each has them', async t => {
  const server = await startAsking(t)
  const forms: [drm: TokenDrm, path: string, tokenUrl: string, body: string][] = [
    ['playready', PLAYREADY, 'http://pr.example.com/playready/RightsManager.asmx?ExpressPlayToken=', playreadyBody()],
    ['widevine', '/hms/wv/rights/', 'https://wv.example.com/hms/wv/rights/?ExpressPlayToken=', 'challenge'],
    ['fairplay', '/hms/fp/rights/', 'https://fp.example.com:80/hms/fp/rights/?ExpressPlayToken=', 'challenge'],
    ['marlin', '/hms/ms3/rights/', 'https://ms3.example.com:8443/hms/ms3/rights/?b=', ''],
    ['marlin', '/hms/ms3/rights/', 'ms3hs://ms3.example.com:8443/hms/ms3/rights/?b=', ''],
  ]
  for (const [drm, path, tokenUrl, body] of forms) {
    server.peer.answer = says({ epTokenURL: `${tokenUrl}${server.seal({ drm })}` })
    t.equal((await postTo(`${server.url}${path}`, { contentID }, body)).status, 200, `${drm}: ${tokenUrl}`)
    t.match(server.peer.asked.at(-1), { contentID, drm }, `${drm}: the service knows which DRM asks`)
    t.match(await (await server.play({ contentID })).json(), KEY, `${drm}: Clear Key redeems it, too`)
    t.notOk('drm' in (server.peer.asked.at(-1) ?? {}), 'and may get one of any DRM')

    const asked = server.peer.asked.length
    const presented = await postTo(`${server.url}${path}`, { ExpressPlayToken: server.seal({ drm }) }, body)
    t.equal(presented.status, 200, `${drm}: a token that the player brings`)
    t.match(server.peer.asked.slice(asked), [{ drm }, ...(drm === 'playready' ? [] : [{ drm }])])
  }
})

t.test('a key without a KID names no content: the request has to', async t => {
  const server = await startAsking(t)
  server.peer.answer = server.allows()
  const ExpressPlayToken = server.seal({ drm: 'fairplay', keys: [{ ...tokenKey(KID), kid: '' }] })
  const post = (query: Query) => postTo(`${server.url}/hms/fp/rights/`, { ExpressPlayToken, ...query }, 'challenge')
  t.match(await errorOf(await post({})), { code: 400, parameter: 'contentID' })
  t.equal(server.peer.asked.length, 0)
  t.equal((await post({ contentID })).status, 200)
  t.match(server.peer.asked, [{ contentID, drm: 'fairplay' }])
})
