import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { CompiledQuery, Kysely, sql } from 'kysely'
import t, { type Test } from 'tap'
import { REGISTRATION_KID } from '../../src/entitlement/registration.js'
import { EventRepository } from '../../src/store/event-repository.js'
import { migrate } from '../../src/store/migrations.js'
import { postgresEngine } from '../../src/store/postgres/postgres-engine.js'
import { sqliteEngine } from '../../src/store/sqlite/sqlite-engine.js'
import { serviceId, type Tables } from '../../src/store/tables.js'
import { onBothEngines } from '../engines.js'
import { CUSTOMER, KID } from '../redeeming.js'
import { REAL } from '../upstream/gateway.js'
import { startSilent } from '../upstream/hostile.js'
import { heldLog } from './held-log.js'
import { playClearKey } from './player.js'
import { CATALOGUE, contentID, deviceBound, deviceRegistration } from './service.js'
import { emulating, type Stage, throughGateway } from './stages.js'

const PHONE = '00112233445566778899aabbccddeeff'
const TABLET = 'ffeeddccbbaa99887766554433221100'
const NEWEST = 32
const SERVICE = serviceId(CUSTOMER, 'test')

const bound = { requestType: deviceBound, customerCookie: 'viewer-1' }

async function register({ ask }: Stage, deviceId: string): Promise<void> {
  const registration = await ask({ requestType: deviceRegistration, customerCookie: 'viewer-1' })
  await playClearKey(registration, { kid: REGISTRATION_KID, deviceId })
}

onBothEngines(t, 'a device is found however much came after it', async (t, database) => {
  const stage = await emulating(t, { DATABASE_URL: await database() })
  await register(stage, TABLET)
  await register(stage, PHONE)
  for (let time = 0; time <= NEWEST; time++) await stage.ask(bound)
  const granted = await stage.ask(bound)
  t.match(await playClearKey(granted, { deviceId: PHONE }), { kids: [KID] })
  t.match(await stage.ask({ ...bound, contentID: CATALOGUE.oneDevice }), { error: 1105 }, 'and the first one, too')
})

onBothEngines(t, 'a cookie with thousands of events costs its devices no more', async (t, database) => {
  const DATABASE_URL = await database()
  const { store, plans } = await explainedStore(t, DATABASE_URL)
  t.equal(await store.newestDevice(SERVICE, 'viewer-1'), 'device-1')
  t.same(await store.firstDevices(SERVICE, 'viewer-1', 2), ['device-0', 'device-1'])
  for (const plan of await plans()) t.match(plan, /events_by_device/)
})

/** The log of a viewer who redeemed tokens once, and has been refused ever since; and how it is searched. */
async function explainedStore(t: Test, url: string) {
  const engine = await (url.startsWith('sqlite:') ? sqliteEngine(url.slice('sqlite:'.length)) : postgresEngine(url))
  t.teardown(() => engine.close())
  const asked: CompiledQuery[] = []
  const db = new Kysely<Tables>({ dialect: engine.dialect, log: ({ query }) => void asked.push(query) })
  await migrate(db, engine.clustered)
  const row = (event_id: number) => ({
    ...{ service_id: SERVICE, event_id, time: event_id, drm: 'playready', kids: '', cookie: 'viewer-1', error_code: 0 },
    ...{ event: event_id < 2 ? 'token_redeemed' : 'redemption_refused', device_id: `device-${event_id}` },
    ...{ request_id: 'r', token_id: null, ip_address: null, rights_type: null },
  })
  for (let first = 0; first < 4000; first += 500)
    await db
      .insertInto('events')
      .values(Array.from({ length: 500 }, (_, index) => row(first + index)))
      .execute()
  await sql`analyze`.execute(db)
  asked.length = 0
  const explain = engine.isExclusive ? 'explain query plan' : 'explain'
  return {
    store: new EventRepository(db, engine),
    plans: () =>
      Promise.all(
        asked.splice(0).map(async ({ sql: text, parameters }) => {
          const query = CompiledQuery.raw(`${explain} ${text}`, [...parameters])
          return JSON.stringify((await db.executeQuery(query)).rows)
        }),
      ),
  }
}

t.test('through a gateway, in the newest events of the viewer', async t => {
  const stage = await throughGateway(t)
  await register(stage, PHONE)
  for (let time = 0; time < NEWEST - 1; time++) await stage.ask(bound)
  t.match(await stage.ask(bound), { isAllowed: true })
  t.match(await stage.ask(bound), { status: 200, error: 1104 }, 'the redemption is not among them any more')
})

/** The host with the transaction log, which does what it is told. */
async function logHost(t: Test, answer: RequestListener, tls?: { cert: Buffer; key: Buffer }) {
  const requests: IncomingMessage[] = []
  const serve: RequestListener = (request, response) => {
    requests.push(request)
    answer(request, response)
  }
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // of a TCP server
  return { requests, url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/base/`, port }
}

function says(body: unknown, status = 200, headers = {}) {
  return (_request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
  }
}

const redeemed = { event: 'token_redeemed', event_id: 5, cookie: 'viewer-1', device_id: PHONE }

t.test('the log is asked as documented, and read with tolerance', async t => {
  const events = [
    { ...redeemed, event_id: 7, device_id: null },
    { event: 'token_redeemed', event_id: 8, cookie: 'viewer-1', kid: [], error_code: 0 },
    { ...redeemed, event_id: 3, device_id: TABLET },
    { ...redeemed, event_id: 6, device_id: PHONE.toUpperCase(), more: { than: ['documented'] } },
    { ...redeemed, event_id: 9, event: 'device_removed', device_id: 'of some other kind' },
    { ...redeemed, event_id: 10, event: 'redemption_refused', device_id: TABLET },
    { ...redeemed, event_id: 11, cookie: 'viewer-2', device_id: TABLET },
    { event: 'token_issued', event_id: 12 },
  ]
  const log = await logHost(t, says({ valid: true, events, next: null }))
  const { server, ask, clock } = await throughGateway(t, { UPSTREAM_TEST_API_URL: log.url })
  const granted = await ask(bound)
  t.match(await playClearKey(granted, { deviceId: PHONE }), { kids: [KID] }, 'that of the newest redemption')
  const { pathname, searchParams } = new URL(log.requests[0]?.url ?? '', log.url)
  t.equal(pathname, '/base/cmiapi/getrecord/')
  t.match(Object.fromEntries(searchParams), { customerAuthenticator: REAL.test, cookie: 'viewer-1' })
  t.match(await ask({ ...bound, contentID: CATALOGUE.oneDevice }), { error: 1105 }, 'the first one is another')
  t.match(await ask({ ...bound, customerCookie: 'viewer 3&é' }), { error: 1104 })
  t.match(log.requests[2]?.url, 'cookie=viewer+3%26%C3%A9')
  clock.now += 1
  t.notMatch(server.log.join('\n'), /getrecord|7e577e57/)
})

t.test('a log that cannot be read is no decision about the viewer', async t => {
  let answer: RequestListener = says({ events: [redeemed] })
  const log = await logHost(t, (request, response) => answer(request, response))
  const { server, ask, events } = await throughGateway(t, { UPSTREAM_TEST_API_URL: log.url, UPSTREAM_TIMEOUT: 1000 })
  t.match(await ask(bound), { isAllowed: true })
  const before = (await events('viewer-1')).length
  const failures: [title: string, failure: string, answer: RequestListener][] = [
    ['a refusal', 'not accepted', says({ code: -2018, message: REAL.test }, 401)],
    ['a redirection', 'not accepted', says('', 302, { location: 'http://127.0.0.1:1/' })],
    ['too many requests', 'too many requests', says('', 429, { 'retry-after': '7' })],
    ['a failure', 'no answer', says({ events: [] }, 500)],
    ['a page', 'no answer', says('<html>')],
    ['nothing', 'no answer', says('')],
    ['no events', 'no answer', says({ event: [redeemed] })],
    ['events without numbers', 'no answer', says({ events: [{ ...redeemed, event_id: undefined }] })],
    ['a device that is none', 'no answer', says({ events: [redeemed, { ...redeemed, device_id: '../..' }] })],
    ['no end', 'too large', says({ events: [], more: 'x'.repeat(300_000) })],
    ['no HTTP', 'no answer', request => void request.socket.end('no HTTP\r\n\r\n')],
    ['a lost connection, twice', 'connection lost', request => void request.socket.destroy()],
    ['half an answer', 'timed out', (_request, response) => void response.writeHead(200).write('{"events":')],
  ]
  for (const [title, failure, behaviour] of failures) {
    answer = behaviour
    const told = await ask(bound)
    t.match(told, { status: 503, isAllowed: false, error: 1108, epTokenURL: '' }, title)
    t.equal(told.retryAfter, failure === 'too many requests' ? '7' : '1', title)
    const [line = '{}'] = server.log.filter(line => line.includes('did not tell its log')).slice(-1)
    t.match(JSON.parse(line), { requestId: told.requestId, failure, environment: 'test', customerId: 9 }, title)
  }
  t.equal((await events('viewer-1')).length, before, 'and no event')

  let times = 0
  answer = (request, response) => {
    if (times++ === 0) request.socket.destroy()
    else says({ events: [redeemed] })(request, response)
  }
  t.match(await ask(bound), { status: 200, isAllowed: true }, 'a connection that is lost once does not matter')
})

t.test('a log that cannot be reached, or shows a wrong certificate', async t => {
  const folder = 'test/upstream/certificates'
  const tls = { cert: readFileSync(`${folder}/self-signed.pem`), key: readFileSync(`${folder}/self-signed.key.pem`) }
  const log = await logHost(t, says({ events: [redeemed] }), tls)
  for (const [UPSTREAM_TEST_API_URL, reason] of [
    ['http://127.0.0.1:1', 'ECONNREFUSED'],
    [log.url, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ] as const) {
    const { server, ask } = await throughGateway(t, { UPSTREAM_TEST_API_URL })
    t.match(await ask(bound), { status: 503, error: 1108, retryAfter: '1' })
    t.match(await ask(), { status: 200, isAllowed: true }, 'who needs no device is served')
    const [line = '{}'] = server.log.filter(line => line.includes('did not tell its log'))
    t.match(JSON.parse(line), { failure: 'not reached', reason })
  }
  t.equal(log.requests.length, 0, 'to whom it was not shown')
})

t.test('connecting to the log is a part of UPSTREAM_TIMEOUT, however long it may take by itself', async t => {
  const { server, ask } = await throughGateway(t, {
    UPSTREAM_TEST_API_URL: await startSilent(t),
    UPSTREAM_TIMEOUT: 300,
    UPSTREAM_CONNECT_TIMEOUT: 60_000,
  })
  t.match(await ask(bound), { status: 503, error: 1108, retryAfter: '1' })
  t.match(
    server.log.filter(line => line.includes('did not tell its log')),
    [/"failure":"not reached in time"/],
  )
})

t.test('a log that is slow: so many ask at once, and so many wait', async t => {
  const log = await heldLog(t)
  const settings = { UPSTREAM_TEST_API_URL: log.url, UPSTREAM_CONNECTIONS: 1, UPSTREAM_QUEUE: 1 }
  const { ask } = await throughGateway(t, settings)
  const asked = [1, 2, 3].map(() => ask(bound))
  const releaseFirst = await log.asked()
  t.match(await Promise.race(asked), { status: 503, error: 1108, retryAfter: '1' }, 'the third')
  releaseFirst([redeemed])
  const releaseSecond = await log.asked()
  releaseSecond([redeemed])
  const statuses = (await Promise.all(asked)).map(({ status }) => status)
  t.same(statuses.sort(), [200, 200, 503])
})

t.test('a replay has no log to look into', async t => {
  const RECORD_DIR = t.testdir()
  const recorded = await throughGateway(t, { RECORD_DIR })
  t.match(await recorded.ask(), { isAllowed: true })
  await recorded.server.close()
  const { ask } = await emulating(t, { MODE: 'replay', RECORD_DIR })
  t.match(await ask(), { isAllowed: true }, 'a recorded token, which is of no use to anybody')
  t.match(await ask(bound), { status: 200, isAllowed: false, error: 1108 })
  t.match(await ask({ contentID: contentID(404) }), { status: 200, error: 1101 })
})
