import { Kysely, Migrator, sql } from 'kysely'
import t from 'tap'
import { rotatedAuthenticator, shownAccount } from '../../schemas/admin.js'
import { accountsEventsKeys } from '../../src/store/migrations/0001-accounts-events-keys.js'
import { redemptions } from '../../src/store/migrations/0002-redemptions.js'
import { postgresEngine } from '../../src/store/postgres/engine.js'
import { sqliteEngine } from '../../src/store/sqlite/engine.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { onBothEngines } from '../engines.js'
import { startTestServer } from '../harness.js'

/** A database as the version before the gateway left it, with an account and an event. */
async function makeFormer(url: string): Promise<void> {
  const engine = await (url.startsWith('sqlite:') ? sqliteEngine(url.slice(7)) : postgresEngine(url))
  const db = new Kysely<unknown>({ dialect: engine.dialect })
  const migrations = {
    '0001-accounts-events-keys': { up: (db: Kysely<unknown>) => accountsEventsKeys(db, engine.clustered) },
    '0002-redemptions': { up: (db: Kysely<unknown>) => redemptions(db, engine.clustered) },
  }
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => migrations } }).migrateToLatest()
  if (error !== undefined) throw error
  await sql`insert into accounts (id, name, enabled, playready, max_redemptions) values (77, 'Kino', 1, 1, 3)`.execute(
    db,
  )
  await sql`insert into services (id, account_id, environment, balance, last_event)
    values (154, 77, 'test', 5, 1), (155, 77, 'production', 6, 0)`.execute(db)
  await sql`insert into events (service_id, event_id, time, event, drm, kids, error_code, request_id)
    values (154, 1, 0, 'token_refused', 'playready', '', -2020, 'former')`.execute(db)
  await engine.close()
}

onBothEngines(t, 'a database of the former version goes on', async (t, database) => {
  const DATABASE_URL = await database()
  await makeFormer(DATABASE_URL)
  const server = await startTestServer(t, { settings: { DATABASE_URL } })
  const admin = administratorOf(server)
  t.match(await bodyOf(shownAccount, admin.get('/accounts/77')), {
    name: 'Kino',
    maxRedemptions: 3,
    limits: { requestsPerMinute: null, tokensPerDay: null },
    services: { test: { balance: 5 }, production: { balance: 6 } },
  })

  const rotated = await bodyOf(rotatedAuthenticator, admin.post('/accounts/77/authenticators', { environment: 'test' }))
  const { authenticator: customerAuthenticator } = rotated
  server.keepSecret(customerAuthenticator.slice(3))
  t.equal((await server.get({ customerAuthenticator })).status, 200)
  await admin.patch('/accounts/77', { limits: { tokensPerDay: 2 } })
  t.equal((await server.get({ customerAuthenticator })).status, 200)
  t.equal((await server.get({ customerAuthenticator })).status, 429, 'what it had today counts')
  const query = new URLSearchParams({ customerAuthenticator })
  const { events } = (await (await fetch(`${server.url}/cmiapi/getrecord?${query}`)).json()) as {
    events: { event_id: number; error_code: number }[] // as documented
  }
  t.same(
    events.map(({ event_id, error_code }) => [event_id, error_code]),
    [
      [4, -2019],
      [3, 0],
      [2, 0],
      [1, -2020],
    ],
  )
  t.match(await bodyOf(shownAccount, admin.get('/accounts/77')), { services: { test: { balance: 3 } } })
})
