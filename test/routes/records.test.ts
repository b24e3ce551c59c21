import t from 'tap'
import type { RecordedEvent, RecordsAnswer } from '../../schemas/records.js'
import { sampleParameters } from '../../src/sample.js'
import { onBothEngines } from '../engines.js'
import { accounts, errorOf, NOON, startTestServer, type TestServer, tokenOf } from '../harness.js'
import { clearKeyBody, OTHER_KID } from '../redeeming.js'

const MINUTE = 60_000
const customerAuthenticator = '201722,1ad8eed133edf43cbcc185f0236828ae'

function lookUp(server: TestServer, parameters: Record<string, string> = {}): Promise<Response> {
  const query = new URLSearchParams({ customerAuthenticator, errorFormat: 'json', ...parameters })
  return fetch(`${server.url}/cmiapi/getrecord/?${query}`)
}

async function eventsOf(answer: Promise<Response>): Promise<RecordedEvent[]> {
  const response = await answer
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
  return ((await response.json()) as { events: RecordedEvent[] }).events // the documented answer
}

async function idsOf(answer: Promise<Response>): Promise<number[]> {
  return (await eventsOf(answer)).map(event => event.event_id)
}

function range(first: number, last: number): number[] {
  return Array.from({ length: Math.abs(last - first) + 1 }, (_, index) => first + (last < first ? -index : index))
}

onBothEngines(t, 'the transaction log', async (t, database) => {
  t.test('an issued token is an event with all that is listed', async t => {
    const server = await startTestServer(t, { settings: { DATABASE_URL: await database() } })
    const answer = await server.get(
      {
        kid: null,
        contentKey: null,
        'kid.0': '000000000000000000000000000000AA',
        'contentKey.0': '5ec2e7a0c0ffee00123456789abcdef0',
        'kid.1': '^second',
        'contentKey.1': '5ec2e7a0c0ffee00123456789abcdef1',
        cookie: 'viewer-4711',
        deviceId: '00112233445566778899AABBCCDDEEFF',
        ipAddress: '203.0.113.7',
      },
      { 'x-request-id': 'ours-1' },
    )
    const token = await tokenOf(answer)
    const response = await lookUp(server)
    t.equal(response.headers.get('content-type'), 'application/json')
    t.equal(response.headers.get('cache-control'), 'no-store')
    t.same(await response.json(), {
      valid: true,
      events: [
        {
          event_id: 1,
          time: '2026-06-01T12:00:00.000Z',
          event: 'token_issued',
          drm: 'playready',
          token_id: server.openToken(token)?.id,
          kid: ['000000000000000000000000000000aa', '352f7829a2384b001cc12b0c2613c756'],
          cookie: 'viewer-4711',
          device_id: '00112233445566778899aabbccddeeff',
          ip_address: '203.0.113.7',
          rights_type: 'BuyToOwn',
          error_code: 0,
          request_id: 'ours-1',
        },
      ],
    })
  })

  t.test('a refused request is an event when its customer is known, with as much of it as is in order', async t => {
    const server = await startTestServer(t, { settings: { DATABASE_URL: await database() } })
    await server.get({ rightsType: 'Sale', cookie: 'viewer-1', deviceId: 'xyz' }, { 'x-request-id': 'refused-1' })
    await server.get({ customerAuthenticator: '201722,00000000000000000000000000000000' })
    await server.get({ customerAuthenticator: null })
    await server.post({ kid: null, cookie: 'x'.repeat(33) })
    const [newest, first, ...others] = await eventsOf(lookUp(server))
    t.same(others, [])
    const every = { time: '2026-06-01T12:00:00.000Z', event: 'token_refused', drm: 'playready' }
    t.match(newest, { request_id: String })
    // What has no value is left out: a client may take null for a text, and break.
    t.same(newest, {
      ...every,
      event_id: 2,
      kid: [],
      rights_type: 'BuyToOwn',
      error_code: -4018,
      request_id: newest?.request_id,
    })
    t.same(first, {
      ...every,
      event_id: 1,
      kid: ['b366360da82e9c6e0b0984002a362cf2'],
      cookie: 'viewer-1',
      error_code: -2021,
      request_id: 'refused-1',
    })
  })

  t.test('what clients add is ignored, and an empty log is valid', async t => {
    const server = await startTestServer(t, { settings: { DATABASE_URL: await database() } })
    const more = { isSuperfast: 'true', apiVersion: '2', Cookie: 'a' }
    for (const asked of [more, { ...more, cookie: 'nobody' }, { ...more, id: '7' }])
      t.same(await (await lookUp(server, asked)).json(), { valid: true, events: [] })
  })

  t.test('every answer is valid and has no null, and what clients add changes none', async t => {
    const server = await startTestServer(t, { settings: { DATABASE_URL: await database() } })
    const token = await tokenOf(await server.get())
    await server.get({ kid: null, cookie: 'viewer' })
    // The first redemption succeeds; the token has no such key.
    const challenges = [sampleParameters.kid, OTHER_KID].map(kid => clearKeyBody(kid))
    const url = `${server.url}/hms/ck/rights/?ExpressPlayToken=${token}`
    const statuses = []
    for (const body of challenges) statuses.push((await fetch(url, { method: 'POST', body })).status)
    t.same(statuses, [200, 400])
    const kinds = ['token_issued', 'token_refused', 'token_redeemed', 'redemption_refused']
    t.same(
      (await eventsOf(lookUp(server, { after: '1' }))).map(({ event }) => event),
      kinds.slice(1),
    )

    const ways: [ids: number[], asked: Record<string, string>][] = [
      [[4, 3, 2, 1], {}],
      [[2], { cookie: 'viewer' }],
      [[], { cookie: 'nobody' }],
      [[3], { id: '3' }],
      [[], { id: '7' }],
      [[2, 3], { start: '1', length: '2' }],
      [[], { start: '9', length: '2' }],
      [[1, 2, 3, 4], { from: '2026-06-01T00:00:00Z', to: '2026-06-02T00:00:00Z', limit: '4' }],
      [[3, 4], { after: '2' }],
    ]
    const added = [
      {},
      { isSuperfast: 'true' },
      { isSuperfast: '' },
      { apiVersion: '2' },
      { isSuperfast: '1', apiVersion: 'x' },
    ]
    for (const [ids, asked] of ways)
      for (const more of added)
        for (const path of ['/cmiapi/getrecord', '/cmiapi/getrecord/']) {
          const query = new URLSearchParams({ customerAuthenticator, ...more, ...asked })
          const response = await fetch(`${server.url}${path}?${query}`)
          const text = await response.text()
          const { valid, events } = JSON.parse(text) as RecordsAnswer // checked here
          const title = `${path}?${query}`
          t.same([response.status, valid, events.map(({ event_id }) => event_id)], [200, true, ids], title)
          t.notMatch(text, 'null', title)
          t.ok(events.every(({ error_code }) => Number.isInteger(error_code)))
        }
  })

  t.test('a disabled customer, a missing option and a used-up balance are in the log', async t => {
    const withSecond = accounts.map(account => ({ ...account, enabled: true }))
    const server = await startTestServer(t, { settings: { DATABASE_URL: await database() }, accounts: withSecond })
    for (const [id, code] of [
      [3, -5002],
      [4, -2019],
    ]) {
      const credentials = { customerAuthenticator: `${id},0000000000000000000000000000000${id}` }
      t.equal((await errorOf(await server.get(credentials))).code, code)
      t.match(await eventsOf(lookUp(server, credentials)), [{ error_code: code, token_id: undefined, event_id: 1 }])
    }
  })

  t.test('the four ways to ask, and by time', async t => {
    let now = NOON
    const settings = { DATABASE_URL: await database() }
    const server = await startTestServer(t, { settings, now: () => now })
    for (const count of range(1, 70)) {
      await server.get({ cookie: count % 2 === 0 ? 'even' : 'odd' })
      now += MINUTE
    }

    t.same(await idsOf(lookUp(server)), range(70, 39), 'the newest 32, newest first')
    t.same(
      await idsOf(lookUp(server, { cookie: 'even' })),
      range(70, 7).filter(id => id % 2 === 0),
      'the newest 32 with a cookie',
    )
    t.same(await idsOf(lookUp(server, { cookie: 'other' })), [])
    t.same(await idsOf(lookUp(server, { id: '17' })), [17])
    t.same(await idsOf(lookUp(server, { id: '71' })), [])
    t.same(await idsOf(lookUp(server, { start: '0', length: '30' })), range(1, 30))
    t.same(await idsOf(lookUp(server, { start: '60', length: '30' })), range(61, 70))
    t.same(await idsOf(lookUp(server, { start: '70', length: '30' })), [])

    const hour = { from: '2026-06-01T12:10:00Z', to: '2026-06-01T12:20:00Z' }
    t.same(await idsOf(lookUp(server, hour)), range(11, 21))
    t.same(await idsOf(lookUp(server, { ...hour, limit: '4' })), range(11, 14))
    t.same(await idsOf(lookUp(server, { ...hour, limit: '4', after: '14' })), range(15, 18))
    t.same(await idsOf(lookUp(server, { ...hour, limit: '4', after: '18' })), range(19, 21))
    t.same(await idsOf(lookUp(server, { ...hour, after: '3' })), range(11, 21), 'the page before was earlier')
    t.same(await idsOf(lookUp(server, { from: '2026-06-01T13:05:00Z' })), range(66, 70))
    t.same(await idsOf(lookUp(server, { to: '2026-06-01T12:00:00.000Z' })), [1])
    t.same(await idsOf(lookUp(server, { after: '68' })), [69, 70])
  })

  t.test('events of one moment are paged without losing any', async t => {
    const server = await startTestServer(t, { settings: { DATABASE_URL: await database() } })
    for (const _ of range(1, 7)) await server.get()
    const pages: number[] = []
    for (let after: number | undefined = 0; after !== undefined; ) {
      const page = await idsOf(lookUp(server, { limit: '3', ...(after > 0 ? { after: String(after) } : {}) }))
      pages.push(...page)
      after = page.at(-1)
    }
    t.same(pages, range(1, 7))
  })

  t.test('who follows the log by number misses nothing, whatever the clocks say', async t => {
    let now = NOON
    const server = await startTestServer(t, { settings: { DATABASE_URL: await database() }, now: () => now })
    for (const _ of range(1, 5)) {
      await server.get()
      now -= MINUTE // another instance's clock may be behind
    }
    t.same(await idsOf(lookUp(server, { after: '1' })), range(2, 5))
    t.same(await idsOf(lookUp(server, { after: '2', limit: '2' })), [3, 4])
    t.same(await idsOf(lookUp(server, { after: '5' })), [])
    const everything = { from: '2026-06-01T00:00:00Z' }
    t.same(await idsOf(lookUp(server, everything)), range(5, 1), 'by time')
    t.same(await idsOf(lookUp(server, { ...everything, after: '99' })), [], 'behind an event that is still to come')
  })

  t.test('a walk by windows meets every event once while others are written', async t => {
    const server = await startTestServer(t, { settings: { DATABASE_URL: await database() } })
    const walked: number[] = []
    for (let start = 0; ; start += 10) {
      if (start < 60) await Promise.all(range(1, 10).map(() => server.get()))
      const page = await idsOf(lookUp(server, { start: String(start), length: '10' }))
      if (page.length === 0) break
      walked.push(...page)
    }
    t.same(walked, range(1, 60))
  })

  t.test('a customer sees no other customer, and one environment not the other', async t => {
    const DATABASE_URL = await database()
    const server = await startTestServer(t, { settings: { DATABASE_URL } })
    await server.get({ cookie: 'here' })
    const other = { customerAuthenticator: '5,00000000000000000000000000000005' }
    t.same(await idsOf(lookUp(server, other)), [])
    t.same(await idsOf(lookUp(server, { ...other, id: '1' })), [])
    await server.close()
    const productive = await startTestServer(t, { settings: { DATABASE_URL, ENVIRONMENT: 'production' } })
    const production = { customerAuthenticator: '201722,6d1f0c5e9b3f4826a1e7c0d95b64f213' }
    t.same(await idsOf(lookUp(productive, production)), [])
    await productive.get({ ...production, cookie: 'there' })
    t.match(await eventsOf(lookUp(productive, production)), [{ event_id: 1, cookie: 'there' }])
  })

  t.test('the log reaches back as far as it shall', async t => {
    const DATABASE_URL = await database()
    let now = NOON
    const early = await startTestServer(t, { settings: { DATABASE_URL }, now: () => now })
    for (const count of range(1, 30)) {
      await early.get()
      if (count === 20) now += 3 * 24 * 60 * MINUTE
    }
    await early.close()
    const late = await startTestServer(t, {
      settings: { DATABASE_URL, LOG_RETENTION_DAYS: 5 },
      now: () => NOON + 6 * 24 * 60 * MINUTE,
    })
    while ((await idsOf(lookUp(late, { start: '0', length: '1' })))[0] === 1);
    t.same(await idsOf(lookUp(late, { start: '0', length: '100' })), range(21, 30), 'the window begins at the oldest')
    t.same(await idsOf(lookUp(late, { id: '20' })), [])
    t.same(await idsOf(lookUp(late, { after: '20' })), range(21, 30), 'a page goes on behind a removed event')
    await late.get()
    t.same(await idsOf(lookUp(late, { start: '10', length: '5' })), [31], 'the numbers go on')
  })
})

t.test('what a look-up refuses', async t => {
  const server = await startTestServer(t)
  const wrong: [string, Record<string, string>][] = [
    ['id', { cookie: 'a', id: '1' }],
    ['start', { id: '1', start: '0', length: '1' }],
    ['from', { cookie: 'a', from: '2026-06-01T12:00:00Z' }],
    ['length', { start: '0' }],
    ['start', { length: '5' }],
    ['start', { start: '-1', length: '5' }],
    ['length', { start: '0', length: '1001' }],
    ['length', { start: '0', length: '0' }],
    ['id', { id: '0' }],
    ['id', { id: '1e3' }],
    ['id', { id: '99999999999999999' }],
    ['id', { id: '' }],
    ['cookie', { cookie: 'x'.repeat(33) }],
    ['cookie', { cookie: 'a\0b' }],
    ['from', { from: 'yesterday' }],
    ['from', { from: '2026-02-30T00:00:00Z' }],
    ['to', { to: '+60' }],
    ['limit', { limit: '1001', from: '2026-06-01T12:00:00Z' }],
    ['after', { after: 'x' }],
  ]
  for (const [parameter, given] of wrong) {
    const response = await lookUp(server, given)
    t.equal(response.status, 400, JSON.stringify(given))
    t.match(await errorOf(response), { code: 400, parameter, requestId: String })
  }
  const twice = await fetch(
    `${server.url}/cmiapi/getrecord?${new URLSearchParams({ customerAuthenticator })}&id=1&id=2`,
  )
  t.equal(twice.status, 400)
  t.match(await twice.text(), /<dd>id must be: a whole number/i, 'HTML unless JSON is asked for')
})

t.test('who may look', async t => {
  const server = await startTestServer(t)
  const code = async (parameters: Record<string, string>) => (await errorOf(await lookUp(server, parameters))).code
  t.equal(await code({ customerAuthenticator: '' }), -2017)
  t.equal(await code({ customerAuthenticator: '201722,00000000000000000000000000000000' }), -2018)
  t.equal(await code({ customerAuthenticator: 'x' }), -2018)
  t.equal(await code({ customerAuthenticator: '2,00000000000000000000000000000002' }), -2031)
  t.equal((await lookUp(server, { customerAuthenticator: '' })).status, 401)
  const wrongFormat = await lookUp(server, { errorFormat: 'xml' })
  t.match(await wrongFormat.text(), '-3004')
})
