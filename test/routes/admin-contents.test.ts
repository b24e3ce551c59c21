import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { contentPage, shownContent } from '../../schemas/contents.js'
import type { EntitlementAnswer } from '../../schemas/entitlement.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { content, EK, ID, KEK, policy, SECRETS, start, withSecrets } from '../contents.js'
import { onBothEngines } from '../engines.js'
import { TestAuthority } from '../entitlement/certificates.js'
import { accounts, CONTENT_KEY, errorOf, NOON, startTestServer } from '../harness.js'

const FORMER = 'a'.repeat(64)
const PRESENT = 'b'.repeat(64)
const manyKeys = [
  { kid: '00000000000000000000000000000001', contentKey: CONTENT_KEY },
  { kid: '^two', kek: KEK, ek: EK, algId: 'aescbc' },
  { kid: '00000000000000000000000000000003', kek: KEK },
]

/** With the entitlement service behind a proxy that has seen a good certificate. */
async function startWithEntitlements(
  t: Test,
  DATABASE_URL: string,
  catalogue: readonly object[] = [],
  others: Record<string, string> = {},
) {
  const authority = await TestAuthority.create()
  const files = { 'ca.pem': authority.cert, 'catalogue.json': JSON.stringify({ contents: catalogue }) }
  const folder = t.testdir(files)
  const validity = { notBefore: new Date(NOON - 1000), notAfter: new Date(NOON + 1000) }
  const { cert } = await authority.issue({ usage: 'client', ...validity })
  const settings = {
    DATABASE_URL,
    ENTITLEMENT_PORT: '0',
    ENTITLEMENT_CLIENT_CA: join(folder, 'ca.pem'),
    ENTITLEMENT_PROXIES: '127.0.0.1',
    ENTITLEMENT_ACCOUNT: '201722',
    CATALOGUE_FILE: join(folder, 'catalogue.json'),
    ...others,
  }
  const server = withSecrets(await startTestServer(t, { settings }))
  const ask = async (change: object = {}) => {
    const request = { messageID: '00000000-0000-4000-8000-000000000001', version: 1, contentID: ID, ...change }
    const answer = await fetch(`${server.entitlementUrl}/entitlement`, {
      method: 'POST',
      headers: { 'client-cert': encodeURIComponent(cert) },
      body: JSON.stringify(request),
    })
    return (await answer.json()) as EntitlementAnswer // what the tests check is in it
  }
  return { server, ask }
}

onBothEngines(t, 'contents in the database', async (t, database) => {
  await t.test('a content is put, shown, replaced and removed, and its keys are never shown', async t => {
    let now = NOON
    const settings = { DATABASE_URL: await database() }
    const server = withSecrets(await startTestServer(t, { settings, now: () => now }))
    const admin = administratorOf(server)
    const put = (path: string, body: unknown) => admin.ask('PUT', `/contents/${path}`, body)

    const created = await put(ID.toUpperCase(), content)
    t.equal(created.status, 201)
    t.equal(created.headers.get('location'), `/admin/api/contents/${ID}`)
    t.equal(created.headers.get('cache-control'), 'no-store')
    const shown = {
      contentID: ID,
      updatedAt: '2026-06-01T12:00:00.000Z',
      readable: true,
      drm: 'playready',
      keys: [{ kid: 'b366360da82e9c6e0b0984002a362cf2', algId: 'aesctr', source: 'contentKey' }],
      policy,
      duration: 3600,
      viewers: 'everyone',
    }
    t.strictSame(await created.json(), shown)
    const answer = await admin.get(`/contents/${ID}`)
    t.equal(answer.status, 200)
    t.strictSame(await answer.json(), shown)
    t.strictSame(await (await admin.get(`/contents/${ID.toUpperCase()}`)).json(), shown, 'in either case')

    now += 1000
    const whole = {
      contentID: ID.toUpperCase(),
      drm: 'playready',
      keys: manyKeys,
      policy: {
        ...policy,
        rightsType: 'Rental',
        generalFlags: '00000001',
        'rental.periodEndTime': '+86400',
        'rental.playDuration': 7200,
      },
      duration: 600,
      viewers: ['viewer-4711', 'Zuschauerin ä'],
      until: '2027-01-01T00:00:00Z',
      devicesPerCookie: 3,
    }
    const replaced = await put(ID, whole)
    t.equal(replaced.status, 200)
    t.equal(replaced.headers.get('location'), null)
    const shownWhole = {
      ...whole,
      contentID: ID,
      updatedAt: '2026-06-01T12:00:01.000Z',
      readable: true,
      keys: [
        { kid: '00000000000000000000000000000001', algId: 'aesctr', source: 'contentKey' },
        { kid: 'ad782ecdac770fc6eb9a62e44f90873f', algId: 'aescbc', source: 'wrapped' },
        { kid: '00000000000000000000000000000003', algId: 'aesctr', source: 'keystore' },
      ],
    }
    t.strictSame(await replaced.json(), shownWhole)
    t.strictSame(await (await admin.get(`/contents/${ID}`)).json(), shownWhole)
    const list = await (await admin.get('/contents')).json()
    t.strictSame(list, { contents: [{ ...shownWhole, viewers: 2 }], next: null }, 'in a list viewers are counted')

    const removed = await admin.ask('DELETE', `/contents/${ID.toUpperCase()}`)
    t.equal(removed.status, 204)
    t.equal(await removed.text(), '')
    for (const method of ['GET', 'DELETE']) {
      const gone = await admin.ask(method, `/contents/${ID}`)
      t.equal(gone.status, 404)
      t.match(await errorOf(gone), { code: 404, parameter: 'contentID' })
    }
    t.strictSame(await (await admin.get('/contents')).json(), { contents: [], next: null })
    t.equal((await put(ID, content)).status, 201, 'and it may come again')
  })

  await t.test('contents are listed in pages, in the order of their ids', async t => {
    const admin = administratorOf(await start(t, await database()))
    const ids = [3, 1, 5, 2, 4].map(number => `${number}f2504e0-4f89-11d3-9a0c-0305e82c3301`)
    const answers = await Promise.all(ids.map(id => admin.ask('PUT', `/contents/${id}`, content)))
    t.same([...new Set(answers.map(({ status }) => status))], [201])
    const sorted = ids.toSorted()
    const idsOf = async (query: string) => {
      const { contents, next } = await bodyOf(contentPage, admin.get(`/contents${query}`))
      return [contents.map(({ contentID }) => contentID), next]
    }
    t.same(await idsOf(''), [sorted, null])
    t.same(await idsOf('?limit=2'), [sorted.slice(0, 2), sorted[1]])
    t.same(await idsOf(`?limit=2&after=${sorted[1]?.toUpperCase()}`), [sorted.slice(2, 4), sorted[3]])
    t.same(await idsOf(`?limit=1&after=${sorted[3]}`), [sorted.slice(4), null], 'a full page may be the last')
    t.same(await idsOf('?after=ffffffff-ffff-ffff-ffff-ffffffffffff'), [[], null])
  })

  await t.test('of several who put a new content at once one is told that it is new', async t => {
    const admin = administratorOf(await start(t, await database()))
    const durations = [1, 2, 3, 4, 5, 6, 7, 8]
    const answers = await Promise.all(
      durations.map(duration => admin.ask('PUT', `/contents/${ID}`, { ...content, duration })),
    )
    t.same(answers.map(({ status }) => status).toSorted(), [200, 200, 200, 200, 200, 200, 200, 201])
    t.match(await bodyOf(shownContent, admin.get(`/contents/${ID}`)), { readable: true, keys: [{}] })
  })

  await t.test('what was put is there after a restart', async t => {
    const DATABASE_URL = await database()
    const first = await start(t, DATABASE_URL, { TOKEN_KEYS: PRESENT })
    const shown = await (await administratorOf(first).ask('PUT', `/contents/${ID}`, content)).json()
    await first.close()
    const second = await start(t, DATABASE_URL, { TOKEN_KEYS: PRESENT })
    t.strictSame(await (await administratorOf(second).get('/contents')).json(), { contents: [shown], next: null })
  })

  await t.test('contents outlive the key that they were sealed with', async t => {
    const DATABASE_URL = await database()
    const first = await start(t, DATABASE_URL, { TOKEN_KEYS: FORMER })
    const ids = [1, 2, 3].map(number => `${number}f2504e0-4f89-11d3-9a0c-0305e82c3301`)
    for (const id of ids) await administratorOf(first).ask('PUT', `/contents/${id}`, content)
    const shown = await (await administratorOf(first).get('/contents')).json()
    await first.close()

    const second = await start(t, DATABASE_URL, { TOKEN_KEYS: `${PRESENT},${FORMER}` })
    const told = () => second.log.find(line => line.includes('contents are sealed with the first of TOKEN_KEYS now'))
    while (told() === undefined) await setImmediate()
    t.match(JSON.parse(told() ?? ''), { level: 30, contents: 3 })
    await second.close()

    const third = await start(t, DATABASE_URL, { TOKEN_KEYS: PRESENT })
    t.strictSame(await (await administratorOf(third).get('/contents')).json(), shown)
  })

  await t.test('a content whose key is gone is shown as such, and told of once', async t => {
    const DATABASE_URL = await database()
    const first = await start(t, DATABASE_URL, { TOKEN_KEYS: FORMER })
    const put = await administratorOf(first).ask('PUT', `/contents/${ID}`, content)
    const { updatedAt } = await bodyOf(shownContent, put)
    await first.close()

    const { server, ask } = await startWithEntitlements(t, DATABASE_URL, [], { TOKEN_KEYS: PRESENT })
    const admin = administratorOf(server)
    const unreadable = { contentID: ID, updatedAt, readable: false }
    t.strictSame(await (await admin.get('/contents')).json(), { contents: [unreadable], next: null })
    t.strictSame(await (await admin.get(`/contents/${ID}`)).json(), unreadable)
    t.match(await ask(), { isAllowed: false, error: 1101 }, 'a viewer hears of no such content')
    const told = server.log.filter(line => line.includes('a stored content does not open'))
    t.equal(told.length, 1)
    t.match(JSON.parse(told[0] ?? ''), { level: 40, contentID: ID })
    t.equal((await admin.ask('PUT', `/contents/${ID}`, content)).status, 200)
    t.match(await bodyOf(shownContent, admin.get(`/contents/${ID}`)), { readable: true }, 'put anew it is readable')
    t.match(await ask(), { isAllowed: true })
  })

  await t.test('what was put can be asked for at once, as it is now', async t => {
    const { server, ask } = await startWithEntitlements(t, await database())
    const put = (body: unknown) => administratorOf(server).ask('PUT', `/contents/${ID}`, body)
    const unknown = { isAllowed: false, error: 1101 }
    t.match(await ask(), unknown)
    await put(content)
    for (const turn of ['opened', 'remembered']) {
      const { epTokenURL, ...answer } = await ask()
      t.match(answer, { isAllowed: true, error: 0 }, turn)
      const token = new URL(epTokenURL).searchParams.get('ExpressPlayToken') ?? ''
      const { expiresAt, keys } = server.openToken(token) ?? {}
      t.equal(expiresAt, NOON + 3_600_000)
      t.match(keys, [
        { kid: 'b366360da82e9c6e0b0984002a362cf2', contentKey: CONTENT_KEY, policy: { analogVideoOPL: 150 } },
      ])
    }
    await put({ ...content, viewers: ['viewer-4711'] })
    t.match(await ask(), { isAllowed: false, error: 1102 })
    t.match(await ask({ customerCookie: 'viewer-4711', contentID: ID.toUpperCase() }), { isAllowed: true })
    await put({ ...content, until: '2026-06-01T11:59:59Z' })
    t.match(await ask(), { isAllowed: false, error: 1103 })
    await administratorOf(server).ask('DELETE', `/contents/${ID}`)
    t.match(await ask(), unknown)
  })
})

t.test('where CATALOGUE_FILE names a content, it is what the file says', async t => {
  const { server, ask } = await startWithEntitlements(t, 'memory:', [{ ...content, contentID: ID, viewers: [] }])
  const other = '3f2504e0-4f89-11d3-9a0c-0305e82c3302'
  for (const id of [ID, other]) await administratorOf(server).ask('PUT', `/contents/${id}`, content)
  t.match(await ask(), { isAllowed: false, error: 1102 })
  t.match(await ask({ contentID: other }), { isAllowed: true })
})

t.test('no key is in the database file', async t => {
  const folder = t.testdir()
  const server = await start(t, `sqlite:${folder}/contents.db`)
  await administratorOf(server).ask('PUT', `/contents/${ID}`, { ...content, keys: manyKeys })
  const read = () => Buffer.concat(readdirSync(folder).map(name => readFileSync(join(folder, name))))
  const whileOpen = read()
  await server.close()
  for (const bytes of [whileOpen, read()]) {
    t.ok(bytes.includes(ID), 'the content itself is there')
    for (const secret of SECRETS)
      for (const spelling of [Buffer.from(secret), Buffer.from(secret.toUpperCase()), Buffer.from(secret, 'hex')])
        t.notOk(bytes.includes(spelling))
    t.notOk(bytes.includes('^two'), 'nor anything else of it')
  }
})

t.test('contents are for administrators alone, and for those of a gateway as well', async t => {
  const ADMIN_TOKEN = 'a-token-of-32-characters-exactly'
  const gateway = {
    MODE: 'gateway',
    UPSTREAM_TEST_URL: 'http://127.0.0.1:1',
    UPSTREAM_PRODUCTION_URL: 'http://127.0.0.1:1',
  }
  const [account] = accounts
  const credentials = { test: `1,${'0'.repeat(32)}`, production: `1,${'1'.repeat(32)}` }
  const server = withSecrets(
    await startTestServer(t, {
      settings: { ADMIN_TOKEN, ...gateway },
      accounts: [{ id: 201722, authenticators: account?.authenticators ?? {}, upstream: credentials }],
    }),
  )
  const stranger = administratorOf(server)
  for (const [method, path, body] of [
    ['GET', '/contents', undefined],
    ['GET', `/contents/${ID}`, undefined],
    ['PUT', `/contents/${ID}`, content],
    ['DELETE', `/contents/${ID}`, undefined],
  ] as const)
    t.equal((await stranger.ask(method, path, body)).status, 401, method)
  const admin = administratorOf(server, ADMIN_TOKEN)
  t.strictSame(await (await admin.get('/contents')).json(), { contents: [], next: null })
  t.equal((await admin.ask('PUT', `/contents/${ID}`, content)).status, 201)
})
