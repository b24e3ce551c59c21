import { connect } from 'node:tls'
import t from 'tap'
import { entitlementAnswer } from '../../schemas/entitlement.js'
import { NOON, startTestServer } from '../harness.js'
import { keystoreOf } from '../keystore.js'
import { KID } from '../redeeming.js'
import { REAL, startGateway } from '../upstream/gateway.js'
import { playClearKey, playPlayready } from './player.js'
import {
  askerOf,
  CATALOGUE,
  clientTls,
  content,
  contentID,
  contents,
  deviceBound,
  deviceRegistration,
  entitlementSettings,
  MESSAGE,
  SECOND_KID,
  STORED,
  senderOf,
  tokenIn,
} from './service.js'
import { emulating, throughGateway } from './stages.js'

const DISABLED = 2
const WITHOUT_PLAYREADY = 3
const WITHOUT_BALANCE = 4
const KEY = 'b366360da82e9c6e0b0984002a362cf2'

t.test('what the catalogue says', async t => {
  const { server, ask, events, clock } = await emulating(t)
  const customerCookie = 'viewer-1'
  for (const [title, error, question] of [
    ['a listed viewer', 0, { contentID: CATALOGUE.listed, customerCookie }],
    ['a GUID in upper case', 0, { contentID: CATALOGUE.listed.toUpperCase(), customerCookie }],
    ['another viewer', 1102, { contentID: CATALOGUE.listed, customerCookie: 'viewer-2' }],
    ['a viewer who is not named', 1102, { contentID: CATALOGUE.listed }],
    [
      'who is not listed can not register either',
      1102,
      { contentID: CATALOGUE.listed, customerCookie: 'viewer-2', requestType: deviceRegistration },
    ],
    ['over', 1103, { contentID: CATALOGUE.gone }],
    ['over, whatever the device', 1103, { contentID: CATALOGUE.gone, customerCookie, requestType: deviceBound }],
    ['its rental period is over', 1103, { contentID: CATALOGUE.endedRental }],
    [
      'its rental period is over, to a registration',
      1103,
      { contentID: CATALOGUE.endedRental, customerCookie, requestType: deviceRegistration },
    ],
    ['unknown', 1101, { contentID: CATALOGUE.unknown }],
    [
      'unknown, to a registration',
      1101,
      { contentID: CATALOGUE.unknown, customerCookie, requestType: deviceRegistration },
    ],
    ['no viewer to register for', 1004, { requestType: deviceRegistration }],
    ['no viewer to look up', 1004, { requestType: deviceBound }],
    ['an empty viewer is none', 1004, { requestType: deviceBound, customerCookie: '' }],
    ['an empty viewer may have what everybody may', 0, { customerCookie: '' }],
    ['32 characters', 0, { customerCookie: '\u{1f600}'.repeat(32) }],
  ] as const) {
    const told = await ask(question)
    t.match(told, { status: 200, version: 1, error, isAllowed: error === 0 }, title)
    const cookie = 'customerCookie' in question ? question.customerCookie : ''
    if (cookie === '') continue
    const recorded = (await events(cookie)).filter(({ request_id }) => request_id === told.requestId)
    const event = error === 0 ? 'token_issued' : 'entitlement_refused'
    t.match(recorded, [{ event, error_code: error, cookie }], `${title}: one event`)
    t.equal(recorded.length, 1, title)
  }

  const going = await ask({ contentID: CATALOGUE.going })
  t.equal(server.openToken(tokenIn(going))?.expiresAt, NOON + 60_000, 'no token outlives its content')
  const rental = await ask({ contentID: CATALOGUE.rental })
  clock.now += 60_000
  t.match(await playPlayready(going), { code: -4010 })
  const text = (await playPlayready(rental)).body
  t.match(text, '<rental.periodEndTime>2026-06-01T14:00:00.000Z</rental.periodEndTime>', 'counted from the grant')
  const both = await ask({ contentID: CATALOGUE.twoKeys })
  for (const kid of [KID, SECOND_KID]) t.match(await playClearKey(both, { kid }), { kids: [kid] })
})

t.test('no token outlives its content through a gateway, however long its request was under way', async t => {
  const late = NOON + 3000
  const accounts = [{ id: 777, authenticators: REAL }]
  const upstream = await startTestServer(t, { accounts, now: () => late })
  const soon = new Date(NOON + 3_601_500).toISOString()
  const catalogue = [...contents, content(11, { until: soon })]
  const ask = await askerOf(t, await startGateway(t, upstream.url, await entitlementSettings(t, catalogue)))
  const expiryOf = async (contentID: string) => upstream.openToken(tokenIn(await ask({ contentID })))?.expiresAt
  t.equal(await expiryOf(CATALOGUE.going), NOON + 60_000)
  t.equal(await expiryOf(contentID(11)), NOON + 3_600_000, 'nor where only the way there goes beyond its end')
  t.equal(
    await expiryOf(CATALOGUE.film),
    late + 3_600_000,
    'without an end it counts from when the real service gets it',
  )
})

t.test('a key of the key storage', async t => {
  const { server, ask } = await emulating(t)
  const asked = { contentID: CATALOGUE.stored }
  const early = await ask(asked)
  t.match(early, { status: 200, isAllowed: false, error: -4019 })
  t.match(early.errorText, STORED.kid)
  await keystoreOf(server).post('/keys', { kek: STORED.kek, body: { kid: STORED.kid, k: KEY } })
  const licence = await playClearKey(await ask(asked), { kid: STORED.kid })
  t.match(licence.body, Buffer.from(KEY, 'hex').toString('base64url'))
})

t.test('the account: every refusal is a decision, and one event', async t => {
  for (const [id, error, event] of [
    [DISABLED, -2031, 'entitlement_refused'],
    [WITHOUT_PLAYREADY, -5002, 'entitlement_refused'],
    [WITHOUT_BALANCE, -2019, 'token_refused'],
  ] as const) {
    const { server, ask } = await emulating(t, { ENTITLEMENT_ACCOUNT: id, ADMIN_TOKEN: 'only-for-administrators' })
    const told = await ask({ customerCookie: 'viewer-1' })
    t.match(told, { status: 200, isAllowed: false, error })
    const headers = { authorization: 'Bearer only-for-administrators' }
    await fetch(`${server.url}/admin/api/accounts/${id}`, {
      method: 'PATCH',
      headers: { ...headers, 'content-type': 'application/json' },
      body: '{"enabled":true}',
    })
    const customerAuthenticator = `${id},${String(id).padStart(32, '0')}`
    const query = new URLSearchParams({ customerAuthenticator, cookie: 'viewer-1' })
    const log = await (await fetch(`${server.url}/cmiapi/getrecord/?${query}`)).json()
    t.match(log, { events: [{ event, error_code: error, request_id: told.requestId }] })
    t.equal((log as { events: unknown[] }).events.length, 1) // as above
  }
})

t.test('an account that there is not is told at the start', async t => {
  const fault = { message: 'ENTITLEMENT_ACCOUNT must be an account that there is, and 99 is none' }
  await t.rejects(emulating(t, { ENTITLEMENT_ACCOUNT: 99 }), fault)
})

t.test('versions and fields', async t => {
  const { server, ask, events } = await emulating(t)
  const send = await senderOf(t, server)
  for (const [version, told] of [
    [2, 1],
    [1_000_000, 1],
    [0, 0],
    [-5, -5],
  ]) {
    const answer = await ask({ version, contentID: 'of another kind', customerCookie: 'later' })
    t.match(answer, { status: 200, isAllowed: false, error: 1003, version: told }, 'an unknown version is a decision')
    t.match(await events('later'), [{ event: 'entitlement_refused', error_code: 1003, request_id: answer.requestId }])
  }
  for (const [field, question] of [
    ['messageID', { messageID: 'not a GUID' }],
    ['version', { version: 1.5 }],
    ['version', { version: '1' }],
    ['version', { version: null }],
    ['version', { version: undefined }],
    ['requestType', { requestType: 4 }],
    ['requestType', { requestType: '1' }],
    ['requestType', { requestType: null }],
    ['contentID', { contentID: 'film' }],
    ['contentID', { contentID: undefined }],
    ['customerCookie', { customerCookie: 'x'.repeat(33) }],
    ['customerCookie', { customerCookie: 'two\nlines' }],
    ['customerCookie', { customerCookie: '\ud800' }],
    ['customerCookie', { customerCookie: 5 }],
  ] as const) {
    const answer = await ask(question)
    t.match(answer, { status: 400, isAllowed: false, error: 1002, version: 1 }, JSON.stringify(question))
    t.match(answer.errorText, `A field is missing or wrong: ${field} `)
  }
  t.same(
    await counted(server),
    ['expressplay_entitlements_total{type="unknown",error="1003"} 4'],
    'what is malformed is no decision',
  )

  const asked = { messageID: MESSAGE, version: 1, contentID: CATALOGUE.film, customerCookie: 'Jürgen' }
  const latin1 = Buffer.from(JSON.stringify(asked), 'latin1')
  for (const body of ['', 'x', '{', `{"messageID":"${MESSAGE}"`, Buffer.from([0xff, 0xfe]), latin1])
    t.match(await send({ body }), { status: 400, error: 1001, messageID: '', version: 1 })
  for (const body of ['null', '[]', '5', '"text"', '{}', `[{"messageID":"${MESSAGE}"}]`])
    t.match(await send({ body }), { status: 400, error: 1002, messageID: '', version: 1 })
  const body = JSON.stringify({
    messageID: MESSAGE,
    version: 1,
    contentID: CATALOGUE.film,
    more: [1, { __proto__: 2 }],
  })
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', ';;;', 'application/json; charset=utf-16'])
    t.match(await send({ body, headers: { 'content-type': type } }), { status: 200, error: 0 }, type)
  t.match(await send({ body }), { status: 200, error: 0 }, 'no content type')
  t.match(await send({ path: '/sees/SEESServlet', body }), { status: 200, error: 0 }, 'by its other name')
})

t.test('what HTTP refuses has the same form', async t => {
  const { server } = await emulating(t, { BODY_LIMIT: 1024 })
  const send = await senderOf(t, server)
  const asked = { messageID: MESSAGE, version: 0 }
  const body = JSON.stringify(asked)
  for (const method of ['PUT', 'DELETE', 'PATCH'])
    t.match(await send({ method, body }), { status: 405, error: 405, allow: 'POST', ...asked }, method)
  t.match(await send({ method: 'GET' }), { status: 405, error: 405, messageID: '', version: 1 })
  t.match(await send({ method: 'OPTIONS' }), { status: 405, error: 405 })
  t.match(await send({ path: '/', body }), { status: 404, error: 404, ...asked })
  t.match(await send({ path: '/entitlements', body: '{' }), { status: 404, error: 404 })
  t.match(await send({ path: '/%zz', body }), { status: 400, error: 400 })
  t.match(await send({ body: 'x'.repeat(1025) }), { status: 413, error: 413, messageID: '', version: 1 })
  t.match(await send({ path: '/', body: 'x'.repeat(1025) }), { status: 413, error: 413 })

  for (const [bytes, status] of [
    ['no HTTP\r\n\r\n', 400],
    [`POST /entitlement HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['POST /entitlement HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n', 400],
  ] as const) {
    const [head = '', text = ''] = (await answerTo(server.entitlementUrl ?? '', bytes)).split('\r\n\r\n')
    t.match(head, `HTTP/1.1 ${status} `)
    t.match(entitlementAnswer.parse(JSON.parse(text)), { isAllowed: false, error: status })
  }
})

t.test('too many requests are told so, and are no decisions', async t => {
  const { server, ask } = await emulating(t, { RATE_LIMIT_PER_ACCOUNT: 2 })
  const told = []
  for (let time = 0; time < 4; time++) told.push(await ask({ customerCookie: 'viewer-1' }))
  t.same(
    told.map(({ status, error }) => [status, error]),
    [
      [200, 0],
      [200, 0],
      [429, 429],
      [429, 429],
    ],
  )
  t.match(told[3]?.retryAfter, /^\d+$/)
  t.same(await counted(server), ['expressplay_entitlements_total{type="1",error="0"} 2'])
})

t.test('the token URL names the place that clients reach', async t => {
  const { ask } = await emulating(t, { PUBLIC_URL: 'https://drm.example.com/play/' })
  t.match(
    (await ask({ contentID: CATALOGUE.plainScheme })).epTokenURL,
    'https://drm.example.com/play/playready/RightsManager.asmx?ExpressPlayToken=',
    'in the scheme of PUBLIC_URL',
  )
  t.match((await ask()).epTokenURL, 'http://drm.example.com/play/', 'or in that of the catalogue')

  const { server } = await emulating(t)
  const body = JSON.stringify({ messageID: MESSAGE, version: 1, contentID: CATALOGUE.film })
  const { port } = new URL(server.url)
  for (const [host, named] of [
    ['drm.example.com', 'drm.example.com'],
    ['drm.example.com:8443', 'drm.example.com'],
    ['[::1]:8443', '[::1]'],
    ['[::1]', '[::1]'],
    ['a"b/c?d', 'localhost'],
  ] as const) {
    const head = `POST /entitlement HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${body.length}\r\nconnection: close`
    const [, text = ''] = (await answerTo(server.entitlementUrl ?? '', `${head}\r\n\r\n${body}`)).split('\r\n\r\n')
    const { epTokenURL } = entitlementAnswer.parse(JSON.parse(text))
    server.keepSecret(tokenIn({ epTokenURL }))
    t.match(epTokenURL, `http://${named}:${port}/playready/RightsManager.asmx?ExpressPlayToken=`, host)
  }
})

t.test('a licence URL that has a query already', async t => {
  const { ask } = await throughGateway(t, {
    ENVIRONMENT: 'production',
    HIDE_UPSTREAM: 'true',
    PUBLIC_URL: 'https://api.test.expressplay.com/play',
  })
  const { epTokenURL } = await ask()
  const ours =
    'http://api.test.expressplay.com/play/playready/RightsManager.asmx?environment=production&ExpressPlayToken='
  t.equal(epTokenURL.slice(0, ours.length), ours)
  t.match(await ask({ customerCookie: 'viewer-1', requestType: deviceBound }), { error: 1104 }, 'its devices, too')
})

t.test('the metrics count decisions', async t => {
  const { server, ask } = await emulating(t)
  await ask()
  await ask({ contentID: CATALOGUE.unknown })
  await ask({ version: 2 })
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  for (const [type, error] of [
    ['1', 0],
    ['1', 1101],
    ['unknown', 1003],
  ])
    t.match(metrics, `expressplay_entitlements_total{type="${type}",error="${error}"} 1\n`)
  t.match(metrics, 'expressplay_tokens_issued_total{drm="playready",environment="test"} 1\n')
})

/** All that comes back for these bytes. */
async function answerTo(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), ...(await clientTls()) })
  socket.write(bytes)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

/** How many decisions of each kind there were. */
async function counted({ url }: { url: string }): Promise<string[]> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  return metrics.match(/^expressplay_entitlements_total.*$/gm) ?? []
}
