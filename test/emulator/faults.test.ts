import { readFileSync } from 'node:fs'
import t from 'tap'
import { request } from 'undici'
import type { RecordsAnswer } from '../../schemas/records.js'
import { fairplay } from '../../src/drm/fairplay-family.js'
import { TOKEN_FAMILIES } from '../../src/drm/families.js'
import { widevine } from '../../src/drm/widevine-family.js'
import { ONLY_FOR } from '../../src/emulator/documented-codes.js'
import { documentedErrors } from '../../src/errors/error-catalogue.js'
import type { SleepOptions } from '../../src/ground/clock.js'
import { TOKEN_DRMS } from '../../src/ground/drms.js'
import { FAULT_HEADER as FAULT } from '../../src/ground/request-trace.js'
import { type FaultInput, startServer } from '../../src/index.js'
import { sampleParameters } from '../../src/sample.js'
import type { RecordingText } from '../../src/upstream/recordings/recording.js'
import { administratorOf } from '../administrator.js'
import { appWith } from '../app.js'
import { onBothEngines } from '../engines.js'
import { askerOf, entitlementSettings, tokenIn } from '../entitlement/service.js'
import { authenticators, type Change, errorOf, form, startTestServer, type TestServer, tokenOf } from '../harness.js'
import { clearKeyBody, KID, playreadyBody, startLicenceServer } from '../redeeming.js'

const TOKEN = { accept: 'application/json' }

/** The statuses of so many token requests, one after the other. */
async function statuses(server: TestServer, count: number): Promise<number[]> {
  const found: number[] = []
  for (let asked = 0; asked < count; asked += 1) found.push((await server.get()).status)
  return found
}

/** What is said to a caller in the same process. */
function refusalOf(act: () => unknown): object {
  try {
    act()
  } catch (error) {
    return error as object // an Error
  }
  return {}
}

async function eventsOf(server: { url: string }, authenticator = sampleParameters.customerAuthenticator) {
  const query = new URLSearchParams({ customerAuthenticator: authenticator })
  const answer = await fetch(`${server.url}/cmiapi/getrecord/?${query}`)
  return ((await answer.json()) as RecordsAnswer).events // the documented answer
}

onBothEngines(t, 'an injected refusal is refused like a real one, and marked in the log', async (t, database) => {
  const server = await startTestServer(t, { settings: { DATABASE_URL: await database() } })
  const rule = server.faults.once({ errorCode: -2019 })
  const refused = await server.get({ cookie: 'viewer' }, { 'x-request-id': 'refused' })
  t.equal(refused.status, 400)
  t.equal(refused.headers.get(FAULT), rule.id)
  t.match(await errorOf(refused), { code: -2019, message: '[-2019] Insufficient tokens available' })
  const issued = await server.get()
  t.equal(issued.status, 200)
  t.equal(issued.headers.get(FAULT), null)
  t.same(
    (await eventsOf(server)).map(({ event, error_code, injected, cookie, kid }) => [
      event,
      error_code,
      injected,
      cookie,
      kid,
    ]),
    [
      ['token_issued', 0, undefined, undefined, [sampleParameters.kid]],
      ['token_refused', -2019, true, 'viewer', [sampleParameters.kid]],
    ],
  )
  const line = server.log.map(line => JSON.parse(line)).find(({ requestId }) => requestId === 'refused')
  t.match(line, { msg: 'answered', fault: rule.id, errorCode: -2019 })

  server.faults.set([{ probability: 0.5, seed: 1, effect: { errorCode: -2019 } }])
  const answers = await Promise.all(Array.from({ length: 30 }, () => server.get()))
  const codes = answers.map(({ status }) => status)
  server.faults.clear()
  const events = (await eventsOf(server)).slice(0, 30)
  t.same(
    events.map(({ event_id }) => event_id),
    Array.from(events, (_, index) => 32 - index),
    'no number is missing',
  )
  const granted = codes.filter(status => status === 200).length
  t.ok(granted > 0 && granted < 30)
  t.equal(events.filter(({ event, injected }) => event === 'token_issued' && injected === undefined).length, granted)
  t.equal(events.filter(({ event, injected }) => event === 'token_refused' && injected === true).length, 30 - granted)
})

t.test('the first rule that matches acts, behind `after` and within `times`', async t => {
  const server = await startTestServer(t)
  const admin = administratorOf(server)
  const rules = [
    {
      id: 'later',
      after: 1,
      times: 2,
      effect: { status: 503, retryAfter: 2, body: '{}', contentType: 'application/json' },
    },
    { id: 'rest', times: 2, effect: { status: 502 } },
    { id: 'other', match: { drm: 'widevine' }, effect: { status: 500 } },
  ]
  t.equal((await admin.ask('PUT', '/faults', rules)).status, 200)
  t.same(await statuses(server, 6), [502, 503, 503, 502, 200, 200])
  const shown = (await (await admin.get('/faults')).json()) as { id: string; acted: number }[] // the documented answer
  t.same(
    shown.map(({ id, acted }) => [id, acted]),
    [
      ['later', 2],
      ['rest', 2],
      ['other', 0],
    ],
  )
  const [first] = server.faults.set([
    { effect: { status: 503, retryAfter: 2, body: '{}', contentType: 'application/json' } },
  ])
  const answer = await server.get()
  t.match(Object.fromEntries(answer.headers), {
    'retry-after': '2',
    'content-type': 'application/json',
    [FAULT]: first?.id,
  })
  t.equal(await answer.text(), '{}')
  t.equal((await admin.ask('PUT', '/faults', [])).status, 200)
  t.equal((await eventsOf(server)).length, 2, 'nothing was asked of the endpoint')
  t.same(server.faults.list(), [])
  t.same(await statuses(server, 2), [200, 200])
})

t.test('chance is the same with the same seed', async t => {
  const server = await startTestServer(t)
  const run = (seed?: number) => {
    server.faults.set([{ probability: 0.5, ...(seed !== undefined && { seed }), effect: { status: 503 } }])
    return statuses(server, 24)
  }
  const first = await run(7)
  t.same(await run(7), first)
  t.not(String(await run(8)), String(first))
  t.ok(first.includes(200) && first.includes(503))
  server.faults.set([{ probability: 0, effect: { status: 503 } }])
  t.same(await statuses(server, 3), [200, 200, 200])
})

t.test('a rule acts on the requests that it names', async t => {
  const server = await startLicenceServer(t)
  const cases: [match: FaultInput['match'], acts: () => Promise<Response>, not: () => Promise<Response>][] = [
    [{ route: '/hms/pr/token' }, () => server.get(), () => server.request(widevine, 'get')],
    [{ route: '/hms/pr/token/' }, () => server.get(), () => server.request(widevine, 'get')],
    [{ method: 'POST' }, () => server.post(), () => server.get()],
    [{ drm: 'widevine' }, () => server.request(widevine, 'post'), () => server.request(fairplay, 'post')],
    [{ cookie: 'a' }, () => server.post({ cookie: 'a' }), () => server.post({ cookie: 'b' })],
    [{ kid: KID.toUpperCase() }, () => server.get({ kid: KID }), () => server.get()],
    [{ kid: '^channel-1' }, () => server.get({ kid: '^channel-1' }), () => server.get({ kid: '^channel-2' })],
    [
      { customer: 201722 },
      () => server.get(),
      () => server.get({ customerAuthenticator: authenticators.strict ?? '' }),
    ],
    [{ customer: 201722 }, () => server.get(), () => server.get({ customerAuthenticator: `201722,${'0'.repeat(32)}` })],
  ]
  for (const [match, acts, not] of cases) {
    server.faults.set([{ match, effect: { status: 599 } }])
    t.equal((await acts()).status, 599, JSON.stringify(match))
    t.not((await not()).status, 599, JSON.stringify(match))
  }
  server.faults.set([{ match: { environment: 'production' }, effect: { status: 599 } }])
  t.equal(
    (
      await getFrom(server, 'pr-gen.service.expressplay.com', {
        customerAuthenticator: authenticators.production ?? '',
      })
    ).status,
    599,
  )
  t.equal((await server.get()).status, 200)

  const token = server.seal({ cookie: 'viewer' })
  const redeem = (given: string, body = clearKeyBody(KID)) => server.ask('/hms/ck/rights/', { token: given, body })
  for (const match of [{ cookie: 'viewer' }, { customer: 201722, drm: 'clearkey' }, { kid: KID }] as const) {
    server.faults.set([{ match, effect: { status: 599 } }])
    t.equal((await redeem(token)).status, 599, JSON.stringify(match))
  }
  server.faults.set([{ match: { customer: 2 }, effect: { status: 599 } }])
  t.equal((await redeem(token)).status, 200)
  t.equal((await redeem(server.seal({}, 2))).status, 599)
  t.equal((await redeem('no token at all')).status, 403)
})

/** With a Host header of its own, which fetch does not send. */
async function getFrom({ url }: { url: string }, host: string, change: Change): Promise<{ status: number }> {
  const { statusCode, body } = await request(`${url}/hms/pr/token?${form(change)}`, { headers: { host } })
  await body.dump()
  return { status: statusCode }
}

t.test('a request with a fault of its own is refused for that, and the rule keeps its turn', async t => {
  const server = await startTestServer(t)
  const { faults } = server
  const codeOf = async (change: Change) => (await errorOf(await server.get(change))).code
  faults.once({ errorCode: -2019 })
  t.equal(await codeOf({ customerAuthenticator: null }), -2017)
  t.equal(await codeOf({ rightsType: 'Lease' }), -2021)
  t.match(faults.list(), [{ acted: 0 }])
  t.equal(await codeOf({}), -2019)
  t.match(faults.list(), [{ acted: 1 }])
  faults.set([{ times: 1, effect: { errorCode: -2018 } }])
  t.equal(
    await codeOf({ rightsType: 'Lease' }),
    -2018,
    'where the service says it, which is before it reads the policy',
  )
  t.equal((await eventsOf(server)).filter(({ error_code }) => error_code === -2018).length, 0, 'as a real one')
  faults.set([{ times: 1, effect: { errorCode: -4019 } }])
  t.equal(await codeOf({ kid: 'x' }), -4020)
  t.equal(await codeOf({ rightsType: 'Lease' }), -4019)
  for (const flaw of ['expired', 'unpaid'] as const) {
    faults.set([{ times: 1, effect: { token: flaw } }])
    t.equal(await codeOf({ rightsType: 'Lease' }), -2021)
    t.match(faults.list(), [{ acted: 0 }])
  }
})

t.test('an Idempotency-Key is free after an injected refusal, as after a real one', async t => {
  const server = await startTestServer(t)
  const keyed = { 'idempotency-key': 'purchase-0001' }
  for (const effect of [{ errorCode: -2019 }, { errorCode: -2030 }, { database: 'down' }] as const) {
    server.faults.once(effect)
    t.not((await server.get({}, keyed)).status, 200, JSON.stringify(effect))
  }
  t.equal((await server.get({}, keyed)).status, 200)
  server.faults.once({ errorCode: -2019 })
  const replayed = await server.get({}, keyed)
  t.match([replayed.status, replayed.headers.get('idempotency-replayed')], [200, 'true'], 'nothing is left to refuse')
  t.match(server.faults.list().at(-1), { acted: 0 })
})

t.test('every documented code acts at the endpoints that document it, and at no other', async t => {
  const server = await startLicenceServer(t)
  const { errors } = JSON.parse(readFileSync('docs/spec/errors.json', 'utf8')) as {
    errors: { code: number; drm: string[] }[] // the published table
  }
  for (const { code, drm } of errors)
    if (drm.length < TOKEN_DRMS.length && code !== -2034)
      t.same([...(ONLY_FOR.get(code as never) ?? [])].sort(), drm.sort(), `${code} is for the published DRMs`)
  for (const family of TOKEN_FAMILIES)
    for (const [code, { status }] of documentedErrors) {
      const match = { route: family.tokenPath }
      const wants = () => server.faults.set([{ match, effect: { errorCode: code } }])
      if (
        status === 403 ||
        status === 500 ||
        code === -6002 ||
        ONLY_FOR.get(code)?.includes(family.drm as never) === false
      ) {
        t.match(refusalOf(wants), { status: 400, parameter: '[0].effect.errorCode' }, `${family.name} ${code}`)
        continue
      }
      wants()
      const answer = await server.request(family, 'get', {}, { accept: 'application/json' })
      t.same([answer.status, (await errorOf(answer)).code], [status, code], `${family.name} ${code}`)
    }
})

t.test('key requests, records and the key storage refuse in their own forms', async t => {
  const server = await startLicenceServer(t)
  const { faults } = server
  const body = clearKeyBody(KID)
  for (const [errorCode, status] of [
    [-4010, 403],
    [-2003, 403],
    [-4022, 400],
    [-2019, 400],
    [-2030, 503],
  ] as const) {
    const rule = faults.once({ errorCode })
    const refused = await server.ask('/hms/ck/rights/', { token: server.seal(), body })
    t.same([refused.status, refused.headers.get(FAULT), (await errorOf(refused)).code], [status, rule.id, errorCode])
  }
  t.match(
    (await server.events()).map(({ event, error_code, injected }) => [event, error_code, injected]),
    [-2019, -4022, -2003, -4010].map(code => ['redemption_refused', code, true]),
  )
  faults.set([{ effect: { errorCode: -4010 } }])
  const soap = await server.ask('/playready/RightsManager.asmx', { token: server.seal(), body: playreadyBody() })
  t.equal(soap.status, 500)
  t.match(await soap.text(), /<CustomData>.*-4010/)
  t.equal((await server.get()).status, 200, 'no token endpoint has this code')

  const { customerAuthenticator } = sampleParameters
  const query = new URLSearchParams({ customerAuthenticator, errorFormat: 'json' })
  faults.set([{ match: { route: '/cmiapi/getrecord' }, effect: { errorCode: -2030 } }])
  const records = await fetch(`${server.url}/cmiapi/getrecord/?${query}`)
  t.same([records.status, (await errorOf(records)).code], [503, -2030])

  const keystore = (path: string, init?: RequestInit) => fetch(`${server.url}/keystore${path}?${query}`, init)
  for (const [errorCode, status, code] of [
    [5, 400, 5],
    [3, 400, 3],
    [1, 503, 1],
    [-2031, 401, -2031],
  ] as const) {
    faults.set([{ effect: { errorCode } }])
    const refused = await keystore('/keys', { method: 'POST' })
    t.match([refused.status, await refused.json()], [status, { code }], `keystore ${errorCode}`)
  }
  faults.set([{ match: { kid: KID }, effect: { errorCode: 2 } }])
  t.equal((await keystore(`/keys/${KID}`)).status, 404)
  faults.set([{ effect: { database: 'down' } }])
  const unavailable = await keystore('/keycount')
  t.match([unavailable.status, await unavailable.json()], [503, { code: 1 }])
  const stranger = await fetch(`${server.url}/keystore/keycount?customerAuthenticator=1,${'0'.repeat(32)}`)
  t.match(await stranger.json(), { code: -2018 })
  const redeemed = await server.ask('/hms/ck/rights/', { token: server.seal(), body })
  t.same([redeemed.status, (await errorOf(redeemed)).code], [503, -2030])
  t.equal((await fetch(`${server.url}/readyz`)).status, 200, 'it was not named')
  faults.set([{ match: { route: '/readyz' }, effect: { database: 'down' } }])
  const ready = await fetch(`${server.url}/readyz`)
  t.match([ready.status, await ready.json()], [503, { status: 'the database does not answer' }])
})

t.test('a token with a flaw is answered with 200, and its redemption fails in that way', async t => {
  const server = await startLicenceServer(t)
  const kid = KID
  const failures = { expired: -4010, corrupt: -4010, otherKid: -4022, unpaid: -2019 } as const
  for (const [flaw, code] of Object.entries(failures) as [keyof typeof failures, number][])
    for (const family of TOKEN_FAMILIES) {
      server.faults.once({ token: flaw })
      const keyed = { ...TOKEN, 'idempotency-key': `purchase-${flaw}-${family.name}` }
      const issued = await server.request(family, 'get', { kid }, keyed)
      t.equal(issued.status, 200, `${flaw} ${family.name}`)
      t.ok(issued.headers.get(FAULT))
      const token = await tokenOf(issued)
      const again = await server.request(family, 'get', { kid }, keyed)
      t.equal(await tokenOf(again), token, 'the replayed token has it, too')
      const refused = await server.ask('/hms/ck/rights/', { token, body: clearKeyBody(kid) })
      t.equal((await errorOf(refused)).code, code, `${flaw} ${family.name}`)
    }
  t.match(await server.events(), [{ event: 'redemption_refused', error_code: -2019, injected: true }])
})

t.test('the entitlement service refuses with its own numbers, or those of tokens', async t => {
  const settings = { ENTITLEMENT_ACCOUNT: 201722, ...(await entitlementSettings(t)) }
  const server = await startTestServer(t, { settings })
  const ask = await askerOf(t, server)
  for (const [errorCode, status] of [
    [1102, 200],
    [-2019, 200],
    [1108, 503],
    [-2030, 503],
    [1001, 400],
    [1201, 403],
  ] as const) {
    server.faults.once({ errorCode })
    const told = await ask()
    t.same([told.status, told.error], [status, errorCode])
  }
  t.match(
    (await eventsOf(server)).map(({ event, error_code, injected }) => [event, error_code, injected]),
    [-2019, 1102].map(code => ['entitlement_refused', code, true]),
  )
  const match = { customer: 201722, cookie: 'viewer-1', drm: 'playready' } as const
  server.faults.once({ match, effect: { errorCode: 1103 } })
  t.equal((await ask({ customerCookie: 'viewer-2', drm: 'playready' })).error, 0)
  t.equal((await ask({ customerCookie: 'viewer-1', drm: 'playready' })).error, 1103)
  t.equal((await ask({ customerCookie: 'emulate:error=1104' })).error, 1104)
  server.faults.once({ token: 'expired' })
  const token = tokenIn(await ask())
  const refused = await fetch(`${server.url}/hms/ck/rights/?ExpressPlayToken=${token}`, {
    method: 'POST',
    body: clearKeyBody(KID),
  })
  t.equal((await errorOf(refused)).code, -4010)
})

t.test('connections to the entitlement service break, too', async t => {
  const settings = { ENTITLEMENT_ACCOUNT: 201722, ...(await entitlementSettings(t)) }
  const server = await startTestServer(t, { settings })
  const ask = await askerOf(t, server)
  const events = async () => (await eventsOf(server)).map(({ event }) => event)
  for (const connection of ['reset', 'close', 'garbage', 'cut'] as const) {
    server.faults.clear()
    server.faults.once({ match: { customer: 201722 }, effect: { connection } })
    await t.rejects(ask(), connection)
    t.match(server.faults.list(), [{ acted: 1 }], connection)
    t.equal((await events()).length, connection === 'cut' ? 1 : 0, connection)
  }
  server.faults.once({ lost: true })
  await t.rejects(ask())
  t.equal((await events()).length, 2, 'its token is issued')
  t.equal((await ask()).error, 0, 'the next request finds the service as it was')
})

t.test('a slow database takes a second longer, and a delay varies within its jitter', async t => {
  const { services, ask } = await appWith(t)
  const { faults } = services.emulator ?? {}
  if (faults === undefined) throw new Error('an emulator has faults')
  const { sleep } = services.clock
  const slept: number[] = []
  const count = async (milliseconds: number, options: SleepOptions = {}) => {
    if (options.isInBackground === true) return sleep(milliseconds, options)
    slept.push(milliseconds)
  }
  Object.assign(services.clock, { sleep: count })
  faults.set([
    { times: 1, effect: { database: 'slow' } },
    { seed: 7, effect: { delayMs: 500, jitterMs: 100 } },
  ])
  for (let asked = 0; asked < 41; asked += 1) t.equal((await ask()).statusCode, 200)
  const [database, ...delays] = slept
  t.equal(database, 1000)
  t.equal(delays.length, 40)
  t.ok(
    delays.every(delay => delay >= 400 && delay <= 600),
    'within its bounds',
  )
  t.ok(Math.min(...delays) < 450 && Math.max(...delays) > 550, 'and all over them')
})

t.test('a request orders a fault for itself, in headers or in its cookie', async t => {
  const server = await startLicenceServer(t)
  server.faults.set([{ effect: { status: 599 } }])
  const error = await server.get({}, { 'x-emulate-error': '-2019' })
  t.same([(await errorOf(error)).code, error.headers.get(FAULT)], [-2019, 'header'])
  t.equal((await server.get({}, { 'x-emulate-status': '503', 'x-emulate-delay': '1' })).status, 503)
  await t.rejects(server.get({}, { 'x-emulate-connection': 'reset' }))
  server.faults.clear()
  const cookie = await server.get({ cookie: 'emulate:delay=1;error=-2030' })
  t.same([(await errorOf(cookie)).code, cookie.headers.get(FAULT)], [-2030, 'cookie'])
  t.equal((await server.post({ cookie: 'emulate:status=503' })).status, 503)
  await t.rejects(server.get({ cookie: 'emulate:connection=close' }))
  t.equal((await server.get({ cookie: 'emulate:delay=1' })).status, 200)
  t.same((await eventsOf(server)).map(({ cookie }) => cookie)[0], 'emulate:delay=1')
  const malformed: [change: Change, headers: Record<string, string>, parameter: string][] = [
    [{}, { 'x-emulate-error': 'x' }, 'x-emulate-error'],
    [{}, { 'x-emulate-error': '-4010' }, 'x-emulate-error'],
    [{}, { 'x-emulate-status': '99' }, 'x-emulate-status'],
    [{}, { 'x-emulate-status': '503, 503' }, 'x-emulate-status'],
    [{}, { 'x-emulate-delay': '-1' }, 'x-emulate-delay'],
    [{}, { 'x-emulate-connection': 'broken' }, 'x-emulate-connection'],
    [{}, { 'x-emulate-status': '503', 'x-emulate-error': '-2019' }, 'x-emulate-status'],
    [{ cookie: 'emulate:' }, {}, 'cookie'],
    [{ cookie: 'emulate:error=-2019;error=-2018' }, {}, 'cookie'],
    [{ cookie: 'emulate:reset' }, {}, 'cookie'],
    [{ cookie: 'emulate:delay=' }, {}, 'cookie'],
  ]
  for (const [change, headers, parameter] of malformed) {
    const refused = await server.get(change, headers)
    t.match(
      [refused.status, await errorOf(refused)],
      [400, { code: 400, parameter }],
      JSON.stringify([change, headers]),
    )
  }
  const preflight = await fetch(`${server.url}/hms/ck/rights/`, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://player.example.com',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'x-emulate-error',
    },
  })
  t.equal(preflight.headers.get('access-control-allow-headers'), 'x-emulate-error')
  const off = await startTestServer(t, { settings: { EMULATE_HEADERS: 'false' } })
  t.equal((await off.get({ cookie: 'emulate:error=-2019' }, { 'x-emulate-status': '503' })).status, 200)
})

t.test('rules have no power over the admin API, and pages only where they name them', async t => {
  const server = await startTestServer(t)
  const admin = administratorOf(server)
  server.faults.set([{ effect: { status: 599 } }])
  const orders = { 'x-emulate-status': '503' }
  t.equal((await admin.ask('GET', '/faults', undefined, orders)).status, 200)
  t.equal((await fetch(`${server.url}/healthz`)).status, 200)
  t.equal((await fetch(`${server.url}/nowhere`)).status, 404)
  server.faults.set([{ match: { route: '/healthz' }, effect: { status: 599 } }])
  t.equal((await fetch(`${server.url}/healthz`)).status, 599)
})

t.test('the library says what is wrong with a rule; a gateway has no faults', async t => {
  const server = await startTestServer(t)
  const { faults } = server
  t.match(
    refusalOf(() => faults.add({ effect: {} })),
    { status: 400, message: /must have one of errorCode/ },
  )
  t.match(
    refusalOf(() => faults.add({ effect: { status: 503, lost: true } })),
    { parameter: 'effect.lost' },
  )
  t.match(
    refusalOf(() => faults.remove('none')),
    { status: 404 },
  )
  faults.add({ id: 'one', effect: { lost: true } })
  t.match(
    refusalOf(() => faults.add({ id: 'one', effect: { lost: true } })),
    { status: 409 },
  )
  t.equal(faults.add({ effect: { delayMs: 1 } }).id, 'fault-1')
  faults.remove('fault-1')
  t.same(
    faults.list().map(({ id }) => id),
    ['one'],
  )
  const recorded: RecordingText = {
    format: 1,
    recordedAt: '2026-06-01T12:00:00Z',
    request: { environment: 'test', customerId: 201722, parameters: {}, secrets: [] },
    answer: { status: 400, text: '' },
  }
  const RECORD_DIR = t.testdir({ 'one.json': JSON.stringify(recorded) })
  const replaying = await startServer({ settings: { MODE: 'replay', RECORD_DIR } })
  t.teardown(() => replaying.close())
  t.match(
    refusalOf(() => replaying.faults.add({ effect: { token: 'expired' } })),
    { parameter: 'effect.token' },
  )
  const gateway = await startServer({
    settings: { MODE: 'gateway', UPSTREAM_TEST_URL: 'http://127.0.0.1:9' },
    accounts: [{ id: 1, authenticators: { test: `1,${'0'.repeat(32)}` }, upstream: { test: `1,${'0'.repeat(32)}` } }],
  })
  t.teardown(() => gateway.close())
  t.throws(() => gateway.faults.list(), {
    name: 'ConfigError',
    message: /server\.faults\.list: only an emulator has it/,
  })
})

t.test('a rule that was saved goes on where it was: behind what has passed, and in its series of chances', async t => {
  const { services, ask } = await appWith(t)
  const { faults } = services.emulator ?? {}
  if (faults === undefined) throw new Error('an emulator has faults')
  const statuses = async (count: number) => {
    const seen: number[] = []
    for (let asked = 0; asked < count; asked += 1) seen.push((await ask()).statusCode)
    return seen
  }
  faults.set([
    { after: 2, times: 2, effect: { status: 599 } },
    { probability: 0.5, seed: 7, effect: { status: 598 } },
  ])
  await statuses(3)
  const saved: unknown = JSON.parse(JSON.stringify(faults.save()))
  const goesOn = await statuses(20)
  faults.clear()
  faults.restore(saved as ReturnType<typeof faults.save>) // as a snapshot brings it back
  t.same(await statuses(20), goesOn)
  t.equal(goesOn[0], 599, 'none passes again')
})

t.test('who listens hears of changes and of what acts; what was saved goes on with its turns', async t => {
  const { app, services, ask } = await appWith(t)
  const { faults } = services.emulator ?? {}
  if (faults === undefined) throw new Error('an emulator has faults')
  const heard: number[] = []
  faults.changed.add(() => void heard.push(faults.list()[0]?.acted ?? -1))
  faults.add({ id: 'twice', times: 2, effect: { status: 599 } })
  t.equal((await ask()).statusCode, 599)
  const saved = faults.save()
  faults.clear()
  t.same(heard, [0, 1, -1])
  t.equal((await ask()).statusCode, 200)
  faults.restore(saved)
  t.same([(await ask()).statusCode, (await ask()).statusCode], [599, 200])
  t.match(faults.list(), [{ id: 'twice', acted: 2 }])
  faults.clear()
  const headers = { 'x-emulate-connection': 'reset' }
  await t.rejects(app.inject({ url: '/hms/pr/token', headers }), 'also where there is no connection')
})
