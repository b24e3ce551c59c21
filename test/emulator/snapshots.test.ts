import { Kysely } from 'kysely'
import t, { type Test } from 'tap'
import { shownAccount } from '../../schemas/admin.js'
import { MOST_SNAPSHOTS, shownSnapshot, snapshotList } from '../../schemas/snapshots.js'
import { postgresEngine } from '../../src/store/postgres/postgres-engine.js'
import { sqliteEngine } from '../../src/store/sqlite/sqlite-engine.js'
import { openStore } from '../../src/store/store.js'
import { serviceId, type Tables } from '../../src/store/tables.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { appWith } from '../app.js'
import { content, EK, ID, withSecrets } from '../contents.js'
import { authenticators, errorOf, NOON, startTestServer, type TestServer, tokenOf } from '../harness.js'
import { keystoreOf } from '../keystore.js'
import { startPostgres } from '../postgres.js'

const CUSTOMER = 201722
const TOKEN_KEYS = '12'.repeat(32)
const KEYED = { 'idempotency-key': 'order-1' }

const postgres = await startPostgres(t)

/** On each engine, with the URL of a database that outlives a server. */
function onEach(title: string, test: (t: Test, url: string) => Promise<void>): void {
  void t.test(`${title}, SQLite`, t => test(t, `sqlite:${t.testdir()}/some.db`))
  void t.test(`${title}, PostgreSQL`, async t => test(t, await postgres.newDatabase()))
}

/** All that a caller can see of the test account. */
async function stateOf(server: TestServer) {
  const admin = administratorOf(server)
  const log = await fetch(`${server.url}/cmiapi/getrecord/?customerAuthenticator=${authenticators.own}`)
  const accounts = await admin.get('/accounts')
  const contents = await admin.get('/contents')
  const { body: keys } = await keystoreOf(server).get('/keys')
  return { log: await log.json(), accounts: await accounts.json(), contents: await contents.json(), keys }
}

onEach('a snapshot is restored, also by a later start', async (t, url) => {
  const settings = { DATABASE_URL: url, TOKEN_KEYS }
  const start = async () => withSecrets(await startTestServer(t, { settings }))
  const first = await start()
  const admin = administratorOf(first)
  const token = await tokenOf(await first.get({}, KEYED))
  await admin.ask('PUT', `/contents/${ID}`, content)
  await keystoreOf(first).post('/keys', { body: { kid: '01'.repeat(16), ek: EK } })
  const before = await stateOf(first)

  const saved = await admin.post('/snapshots', { name: 'seeded' })
  t.equal(saved.status, 201)
  t.same(await bodyOf(shownSnapshot, saved), {
    name: 'seeded',
    savedAt: new Date(NOON).toISOString(),
    restorable: true,
  })

  const spoil = async (server: TestServer) => {
    await server.get()
    await server.reset({ keep: ['tokenKeys'] })
    await administratorOf(server).ask('DELETE', `/accounts/${CUSTOMER}`)
    t.equal((await errorOf(await server.get())).code, -2018)
  }
  const restore = async (server: TestServer) => {
    const restored = await administratorOf(server).ask('POST', '/snapshots/seeded/restore')
    t.match(await bodyOf(shownSnapshot, restored), { name: 'seeded', restorable: true })
    t.same(await stateOf(server), before)
    const replayed = await server.get({}, KEYED)
    t.equal(replayed.headers.get('idempotency-replayed'), 'true')
    t.equal(await tokenOf(replayed), token)
    t.equal((await server.get()).status, 200)
    t.match(await stateOf(server), { log: { events: [{ event_id: 2 }, { event_id: 1 }] } }, 'the log goes on')
  }
  await spoil(first)
  await restore(first)
  await spoil(first)
  await first.close()

  const second = await start()
  t.match(await second.snapshots.list(), [{ name: 'seeded' }])
  await restore(second)
})

onEach('snapshots have names: saving replaces, removing removes', async (t, url) => {
  const settings = { DATABASE_URL: url }
  const server = await startTestServer(t, { settings })
  const admin = administratorOf(server)
  await server.snapshots.save('one')
  await server.get()
  await server.snapshots.save('two')
  await server.get()
  await server.snapshots.save('one')
  const names = async () => (await bodyOf(snapshotList, admin.get('/snapshots'))).snapshots.map(({ name }) => name)
  t.same(await names(), ['two', 'one'], 'the oldest first')
  const eventsAfter = async (name: string) => {
    await server.snapshots.restore(name)
    const { log } = await stateOf(server)
    return (log as { events: unknown[] }).events.length // the documented answer
  }
  t.same([await eventsAfter('one'), await eventsAfter('two'), await eventsAfter('one')], [2, 1, 2])

  await server.reset()
  t.same(await names(), ['two', 'one'], 'a reset leaves them')
  t.equal((await admin.ask('DELETE', '/snapshots/one')).status, 204)
  await server.snapshots.delete('two')
  t.same(await names(), [])
  for (const [method, path] of [
    ['DELETE', '/snapshots/one'],
    ['POST', '/snapshots/one/restore'],
  ] as const) {
    const answer = await admin.ask(method, path)
    t.match({ status: answer.status, ...(await errorOf(answer)) }, { status: 404, parameter: 'name' }, method)
  }
  await t.rejects(server.snapshots.restore('one'), /There is no snapshot with this name/)
  await server.close()
  t.same(await tableNames(settings.DATABASE_URL), [], 'nothing of a removed snapshot is left')
})

async function opened<T>(url: string, work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
  const engine = await (url.startsWith('sqlite:') ? sqliteEngine(url.slice(7)) : postgresEngine(url))
  const db = new Kysely<Tables>({ dialect: engine.dialect })
  const result = await work(db)
  await engine.close()
  return result
}

async function tableNames(url: string): Promise<string[]> {
  const tables = await opened(url, db => db.introspection.getTables())
  return tables.map(({ name }) => name).filter(name => name.startsWith('snapshot_'))
}

onEach('a snapshot of other tables is refused by name, and can be removed', async (t, url) => {
  const settings = { DATABASE_URL: url }
  const before = await startTestServer(t, { settings })
  await before.snapshots.save('former')
  await before.close()
  await opened(settings.DATABASE_URL, db =>
    db.updateTable('snapshots').set({ schema: '0009-account-settings' }).execute(),
  )
  const server = await startTestServer(t, { settings })
  await server.get()
  t.match(await server.snapshots.list(), [{ name: 'former', restorable: false }])
  const answer = await administratorOf(server).ask('POST', '/snapshots/former/restore')
  t.match(
    { status: answer.status, ...(await errorOf(answer)) },
    { status: 409, parameter: 'name', message: /0009-account-settings/ },
  )
  t.match(await stateOf(server), { log: { events: [{ event_id: 1 }] } }, 'nothing is changed')
  await server.snapshots.delete('former')
  t.same(await server.snapshots.list(), [])
})

t.test('there are only so many snapshots, and only plain names', async t => {
  const server = await startTestServer(t)
  const admin = administratorOf(server)
  for (let number = 0; number < MOST_SNAPSHOTS; number++) await server.snapshots.save(`s${number}`)
  const answer = await admin.post('/snapshots', { name: 'another' })
  t.match({ status: answer.status, ...(await errorOf(answer)) }, { status: 409, parameter: 'name' })
  await server.snapshots.save('s7')
  t.equal((await server.snapshots.list()).length, MOST_SNAPSHOTS, 'one may still be replaced')

  for (const name of ['', '.hidden', 'a b', 'a/b', 'ä', 'a'.repeat(65), "a'; drop table events; --", 5, null])
    t.match(await errorOf(await admin.post('/snapshots', { name })), { code: 400, parameter: 'name' }, String(name))
  t.match(await errorOf(await admin.post('/snapshots', { nam: 'a' })), { code: 400 })
  t.match(await errorOf(await admin.ask('POST', '/snapshots/%27/restore')), { code: 400, parameter: 'name' })
  t.equal((await admin.post('/snapshots', { name: 'a'.repeat(64) })).status, 409, 'its name is fine')
})

t.test('a snapshot holds the clocks, and a reset ends them unless it keeps them', async t => {
  const server = await startTestServer(t)
  await server.clock.set(NOON, { frozen: true })
  await server.clock.of(CUSTOMER).set(NOON + 1, { frozen: true })
  await server.snapshots.save('noon')
  await server.clock.advance('31d')
  await server.clock.of(CUSTOMER).reset()
  await server.snapshots.restore('noon')
  t.same([server.clock.now(), server.clock.of(CUSTOMER).now()], [NOON, NOON + 1])
  await server.reset({ keep: ['clock'] })
  t.equal(server.clock.now(), NOON)
  await server.reset()
  t.match(await server.clock.show(), { offsetSeconds: 0, frozen: false })
  t.match(await server.clock.of(CUSTOMER).show(), { own: false })
})

t.test('a snapshot holds the state of the parts that have one, and restoring it drops what is cached', async t => {
  const { services } = await appWith(t)
  const { emulator } = services
  if (emulator === undefined) throw new Error('an emulator is what this is about')
  let clock = 1
  const resets: string[] = []
  emulator.addPart({
    name: 'a part',
    reset: () => void resets.push('a part'),
    snapshot: {
      save: () => ({ clock }),
      restore: saved => {
        clock = (saved as { clock: number }).clock // what was saved
      },
    },
  })
  emulator.addPart({ name: 'cache', isCache: true, reset: () => void resets.push('cache') })
  emulator.addPart({ name: 'journal', reset: () => void resets.push('journal') })
  await emulator.snapshots.save('a')
  clock = 2
  await emulator.snapshots.restore('a')
  t.equal(clock, 1)
  t.same(resets.splice(0), ['cache'])

  emulator.addPart({
    name: 'another',
    reset: () => void resets.push('another'),
    snapshot: { save: () => [], restore() {} },
  })
  await emulator.snapshots.restore('a')
  t.same(resets.splice(0), ['cache', 'another'], 'a part that the snapshot knows nothing of starts over')
  await emulator.resets.reset({ keep: [] })
  t.same(resets, ['a part', 'cache', 'journal', 'another'])
})

onEach('10,000 events and 1,000 keys are saved and restored', async (t, url) => {
  const service = serviceId(CUSTOMER, 'test')
  const server = await startTestServer(t, { settings: { DATABASE_URL: url } })
  await server.close()
  const filling = performance.now()
  await fill(url, service)
  const filled = performance.now() - filling

  const again = await startTestServer(t, { settings: { DATABASE_URL: url } })
  const admin = administratorOf(again)
  const timed = async (work: () => Promise<unknown>) => {
    const start = performance.now()
    await work()
    return performance.now() - start
  }
  const saving = await timed(() => again.snapshots.save('large'))
  const resetting = await timed(() => again.reset())
  const restoring = await timed(() => again.snapshots.restore('large'))
  t.comment({ filled, saving, resetting, restoring })
  const { keys } = await stateOf(again)
  t.equal((JSON.parse(keys) as unknown[]).length, 1000) // the documented answer
  const page = await fetch(
    `${again.url}/cmiapi/getrecord/?${new URLSearchParams({ customerAuthenticator: authenticators.own, start: '9999', length: '10' })}`,
  )
  t.match(await page.json(), { events: [{ event_id: 10_000 }] })
  t.match(await bodyOf(shownAccount, admin.get(`/accounts/${CUSTOMER}`)), { services: { test: { balance: 990_000 } } })
  // However fast the machine is: rows are copied inside the database, and do not come and go one by one.
  for (const [title, took] of Object.entries({ saving, resetting, restoring })) t.ok(took < filled, title)
})

async function fill(url: string, service: number): Promise<void> {
  const store = await openStore(url)
  const event = {
    service_id: service,
    step: 'issue',
    pending_id: null,
    time: NOON,
    event: 'token_issued',
    drm: 'playready',
    token_id: 'a',
    kids: '01'.repeat(16),
    cookie: 'viewer',
    device_id: null,
    ip_address: null,
    rights_type: 'BuyToOwn',
    error_code: 0,
    request_id: 'r',
  } as const
  for (let group = 0; group < 100; group++) await store.events.commit(Array.from({ length: 100 }, () => event))
  await store.close()
  const keys = Array.from({ length: 1000 }, (_, number) => ({
    service_id: service,
    kid: number.toString(16).padStart(32, '0'),
    ek: EK,
    last_update: NOON,
  }))
  await opened(url, db => db.insertInto('keys').values(keys).execute())
}

onEach('under load, each request comes wholly before a restore or wholly after it', async (t, url) => {
  const server = await startTestServer(t, { settings: { DATABASE_URL: url } })
  for (let events = 0; events < 5; events++) await server.get()
  await server.snapshots.save('five')
  const statuses = new Set<number>()
  let isOver = false
  const loads = Array.from({ length: 4 }, async () => {
    while (!isOver) statuses.add((await server.get()).status)
  })
  for (let restores = 0; restores < 5; restores++) {
    await server.get()
    await server.snapshots.restore('five')
  }
  isOver = true
  await Promise.all(loads)
  t.same([...statuses], [200])
  await balanceFollowsLog(t, server)
})

async function balanceFollowsLog(t: Test, server: TestServer): Promise<void> {
  const { log } = await stateOf(server)
  const { events } = log as { events: { event_id: number }[] } // the documented answer
  const account = await bodyOf(shownAccount, administratorOf(server).get(`/accounts/${CUSTOMER}`))
  t.equal(account.services.test.balance, 1_000_000 - events.length)
  t.same(
    events.map(({ event_id }) => event_id),
    Array.from(events, (_, index) => events.length - index),
  )
}
