import Database from 'libsql'
import pg from 'pg'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { machineClock } from '../../src/ground/clock.js'
import { PlausibleClock } from '../../src/ledger/plausible-clock.js'
import { ALL_SERVICES } from '../../src/store/chosen-services.js'
import { openStore } from '../../src/store/store.js'
import type { KeyRow } from '../../src/store/tables.js'
import { onBothEngines } from '../engines.js'
import { NOON, startTestServer } from '../harness.js'
import { eventually } from './load.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const SERVICE = 201722 * 2
const WARNING = /nothing that has expired is removed/

/** What there is that expires, as of NOON. */
async function fill(t: Test, DATABASE_URL: string): Promise<void> {
  const server = await startTestServer(t, { settings: { DATABASE_URL } })
  await server.get()
  await server.get({}, { 'idempotency-key': 'a-key' })
  await server.close()
  const store = await openStore(DATABASE_URL)
  await store.keys.add(key('a'.repeat(32), NOON + HOUR), NOON)
  await store.close()
}

function key(kid: string, expiration: number): KeyRow {
  return {
    service_id: SERVICE,
    kid,
    ek: '0',
    kek_id: null,
    info: null,
    content_id: null,
    expiration,
    last_update: NOON,
  }
}

async function execute(url: string, statement: string): Promise<void> {
  if (url.startsWith('sqlite:')) {
    const database = new Database(url.slice('sqlite:'.length))
    database.exec(statement)
    database.close()
    return
  }
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(statement).finally(() => client.end())
}

/** What is left of it. */
async function left(DATABASE_URL: string) {
  const store = await openStore(DATABASE_URL)
  const events = (await store.events.newest(SERVICE, 100)).length
  const keys = (await store.keys.page(SERVICE, '', 100)).length
  const idempotencyKeys = await store.idempotency.removeExpired(ALL_SERVICES, Number.MAX_SAFE_INTEGER, 100)
  await store.close()
  return { events, keys, idempotencyKeys }
}

onBothEngines(t, 'retention', async (t, database) => {
  t.test('removes nothing on the word of a clock that is far ahead, and says so once', async t => {
    const DATABASE_URL = await database()
    await fill(t, DATABASE_URL)
    const settings = { DATABASE_URL, LOG_RETENTION_DAYS: 30 }
    const server = await startTestServer(t, { settings, now: () => NOON + 400 * DAY })
    await eventually(() => WARNING.test(server.log.join('')), 'the warning')
    await server.close()
    t.same(await left(DATABASE_URL), { events: 2, keys: 1, idempotencyKeys: 1 })
  })

  t.test('believes a clock that is far ahead when it has run for six hours', async t => {
    const DATABASE_URL = await database()
    await fill(t, DATABASE_URL)
    const store = await openStore(DATABASE_URL)
    t.teardown(store.close)
    const lines: string[] = []
    const clock = { now: NOON + 400 * DAY, uptime: 5000 }
    const plausible = new PlausibleClock({
      memory: store.clock,
      clock: machineClock({ now: () => clock.now, uptime: () => clock.uptime }),
      now: () => clock.now,
      logger: pino({}, { write: line => void lines.push(line) }),
    })
    t.notOk(await plausible.isTrusted())
    clock.uptime += 6 * HOUR - 1
    t.notOk(await plausible.isTrusted())
    clock.now = NOON + DAY
    t.ok(await plausible.isTrusted(), 'corrected')
    clock.now = NOON + 400 * DAY
    t.notOk(await plausible.isTrusted(), 'wrong again')
    clock.uptime += 6 * HOUR
    t.ok(await plausible.isTrusted())
    clock.now += 7 * DAY
    t.ok(await plausible.isTrusted(), 'a week is no wonder')
    clock.now = 0
    t.ok(await plausible.isTrusted(), 'what is behind does no harm')
    t.equal(lines.length, 2, 'each time it is said once')
  })

  t.test("compares the machine's clock with that of PostgreSQL", async t => {
    const store = await openStore(await database())
    t.teardown(store.close)
    const isTrusted = (milliseconds: number) =>
      new PlausibleClock({
        memory: store.clock,
        clock: {
          ...machineClock({ now: () => Date.now() + milliseconds, uptime: () => 0 }),
          isMachineClock: true,
        },
        now: () => Date.now() + milliseconds,
        logger: pino({ level: 'silent' }),
      }).isTrusted()
    const isOnAnotherMachine = (await store.clock.databaseTime()) !== undefined
    t.equal(await isTrusted(HOUR), !isOnAnotherMachine)
    t.ok(await isTrusted(-HOUR))
    t.ok(await isTrusted(0))
  })

  t.test('compares with the newest event in a database of a former version', async t => {
    const DATABASE_URL = await database()
    await fill(t, DATABASE_URL)
    const store = await openStore(DATABASE_URL)
    t.equal(await store.clock.lastSeen(), NOON)
    await store.close()
  })

  t.test('an event from the future and a step that fails stop nothing', async t => {
    const DATABASE_URL = await database()
    let now = NOON - 3 * DAY
    const early = await startTestServer(t, { settings: { DATABASE_URL }, now: () => now })
    const times = [0, 0, 100 * DAY, 0, 0, 5 * DAY, 100 * DAY, 5 * DAY]
    for (const time of times) {
      now = NOON - 3 * DAY + time
      await early.get()
    }
    now = NOON - 3 * DAY
    await early.close()
    const store = await openStore(DATABASE_URL)
    await store.keys.add(key('a'.repeat(32), NOON - 40 * DAY), 0)
    await store.keys.add(key('b'.repeat(32), NOON - 10 * DAY), 0)
    await store.close()
    await execute(DATABASE_URL, 'ALTER TABLE idempotency_keys RENAME TO elsewhere')
    const failing = await startTestServer(t, {
      settings: { DATABASE_URL, LOG_RETENTION_DAYS: 2 },
      now: () => NOON + 3 * DAY,
    })
    const lookUp = () =>
      fetch(`${failing.url}/cmiapi/getrecord?customerAuthenticator=201722,1ad8eed133edf43cbcc185f0236828ae`)
    await eventually(async () => !(await (await lookUp()).text()).includes('"event_id":5'), 'the fifth is gone')
    const { events } = (await (await lookUp()).json()) as { events: { event_id: number }[] } // as documented
    t.same(
      events.map(({ event_id }) => event_id),
      [8, 7, 6],
    )
    await failing.close()
    await execute(DATABASE_URL, 'ALTER TABLE elsewhere RENAME TO idempotency_keys')
    t.match(await left(DATABASE_URL), { keys: 1 }, 'an expired key stays for a while')
  })
})
