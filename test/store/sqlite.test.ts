import { once } from 'node:events'
import { link, symlink } from 'node:fs/promises'
import { relative } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Kysely, sql } from 'kysely'
import t from 'tap'
import { type Entry, REFUSED } from '../../src/store/engine.js'
import { migrate } from '../../src/store/migrations.js'
import { SqliteDatabase } from '../../src/store/sqlite/sqlite-database.js'
import { sqliteEngine } from '../../src/store/sqlite/sqlite-engine.js'
import { openStore } from '../../src/store/store.js'
import { serviceId, type Tables } from '../../src/store/tables.js'
import { runCommand } from '../process.js'

t.test('a commit that fails harms nobody else who writes at the same time', async t => {
  const engine = await sqliteEngine(`${t.testdir()}/transactions.db`)
  const db = new Kysely<Tables>({ dialect: engine.dialect })
  await migrate(db, engine.clustered)
  t.teardown(() => engine.close())

  const addAccount = (id: number) =>
    db.transaction().execute(async db => {
      await db.insertInto('accounts').values({ id, name: '', enabled: 1, drm: '{}' }).execute()
      const service = {
        id: serviceId(id, 'test'),
        account_id: id,
        environment: 'test',
        balance: 1,
        last_event: 0,
      } as const
      await db.insertInto('services').values(service).execute()
    })
  // A reference to nothing is found out when it is committed.
  const failing = () =>
    db.transaction().execute(async db => {
      await sql`pragma defer_foreign_keys = on`.execute(db)
      const orphan = { id: 99, account_id: 999, environment: 'test', balance: 1, last_event: 0 } as const
      await db.insertInto('services').values(orphan).execute()
    })
  await addAccount(1)
  const event = {
    service_id: serviceId(1, 'test'),
    step: 'issue',
    pending_id: null,
    time: 0,
    event: 'token_issued',
    drm: 'playready',
    token_id: 'a',
    kids: '',
    cookie: null,
    device_id: null,
    ip_address: null,
    rights_type: null,
    error_code: 0,
    request_id: 'r',
  } as const

  const outcomes = await Promise.allSettled([
    failing(),
    addAccount(2),
    failing(),
    addAccount(3),
    engine.commit([event, event]),
    addAccount(4),
  ])
  t.same(
    outcomes.map(({ status }) => status),
    ['rejected', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
  )
  t.match(outcomes[0], { reason: /FOREIGN KEY/ }, 'the reason is told, not what came of it')
  const services = await db
    .selectFrom('services')
    .select(['account_id', 'balance', 'last_event'])
    .orderBy('id')
    .execute()
  t.same(
    services.map(row => [row.account_id, row.balance, row.last_event]),
    [
      [1, 0, 2],
      [2, 1, 0],
      [3, 1, 0],
      [4, 1, 0],
    ],
  )
  const events = await db.selectFrom('events').select(['event', 'error_code']).orderBy('event_id').execute()
  t.same(events, [
    { event: 'token_issued', error_code: 0 },
    { event: REFUSED.event, error_code: REFUSED.error_code },
  ])

  const ofNoService = { ...event, service_id: serviceId(99, 'test'), step: 'keep', pending_id: 'p' } as const
  t.same(
    await engine.commit([ofNoService, { ...event, step: 'append' }]),
    [{ place: 0, why: 'settled before' }],
    'a pending token is gone with its account, and the others of its group are written',
  )
})

t.test('a new database has the tables that the migrations make, and needs none of them', async t => {
  const ofMigrations = await sqliteEngine(':memory:')
  const migrated = new Kysely<Tables>({ dialect: ofMigrations.dialect })
  t.teardown(() => ofMigrations.close())
  const names = await migrate(migrated, ofMigrations.clustered)

  const url = `sqlite:${t.testdir()}/new.db`
  const store = await openStore(url)
  t.strictSame(store.applied, names)
  await store.close()
  const engine = await sqliteEngine(url.slice('sqlite:'.length))
  const db = new Kysely<Tables>({ dialect: engine.dialect })
  t.teardown(() => engine.close())
  t.strictSame(await schemaOf(db), await schemaOf(migrated))
  t.strictSame(await migrate(db, engine.clustered), [])
})

async function schemaOf(db: Kysely<Tables>): Promise<unknown[]> {
  return (await sql`select type, name, tbl_name, sql from sqlite_master order by rowid`.execute(db)).rows
}

t.test('a database that a newer version has changed is refused, and stays as it is', async t => {
  const engine = await sqliteEngine(`${t.testdir()}/newer.db`)
  const db = new Kysely<Tables>({ dialect: engine.dialect })
  t.teardown(() => engine.close())
  await migrate(db, engine.clustered)
  await sql`insert into kysely_migration values ('9999-of-the-future', '2030-01-01')`.execute(db)
  await t.rejects(migrate(db, engine.clustered), {
    message: /DATABASE_URL: a newer version .* has changed this database/,
  })
})

t.test('an open database stays locked when the same process tries to open it again', async t => {
  const folder = t.testdir()
  const path = `${folder}/open.db`
  const { close } = await openStore(`sqlite:${path}`)
  t.teardown(close)
  await symlink(path, `${folder}/symbolic.db`)
  await link(path, `${folder}/hard.db`)
  const refusal = { message: /is in use/ }
  for (const name of [path, relative('.', path), `${folder}/symbolic.db`, `${folder}/hard.db`]) {
    await t.rejects(openStore(`sqlite:${name}`), refusal, name)
    const other = await runCommand(t, ['migrate'], { DATABASE_URL: `sqlite:${path}` })
    t.match(other, { code: 1, stderr: refusal.message }, `another process, after ${name}`)
  }

  const store = new URL('../../src/store/store.js', import.meta.url).href
  const inThread = `import(${JSON.stringify(store)}).then(({ openStore }) => openStore(${JSON.stringify(`sqlite:${path}`)}))`
  const thread = new Worker(inThread, { eval: true })
  const [failure] = await once(thread, 'error')
  t.match(failure, refusal, 'a thread')
  t.match(await runCommand(t, ['migrate'], { DATABASE_URL: `sqlite:${path}` }), { code: 1 }, 'after a thread')
})

t.test('what libsql has no type for is a TypeError, wherever it is bound, and the database goes on', async t => {
  const database = new SqliteDatabase(':memory:')
  t.teardown(() => database.close())
  const db = await openStore('memory:')
  t.teardown(db.close)
  const wrong: unknown[] = [
    true,
    {},
    undefined,
    2n ** 70n,
    1n,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    'a\0b',
    Symbol('a'),
  ]
  for (const value of wrong) {
    // The casts: this is what the types rule out.
    t.throws(() => database.execute('select ?', [value as null]), TypeError)
    const entry = { service_id: 1, step: 'append', pending_id: null, cookie: value } as unknown as Entry
    await t.rejects(db.events.commit([{ ...entry, service_id: value as number }]), TypeError)
  }
  t.same(database.execute('select ? as value', ['a']).rows, [{ value: 'a' }])
  t.same(await db.events.commit([]), [])
})
