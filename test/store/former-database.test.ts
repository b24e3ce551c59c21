import { Kysely, Migrator, sql } from 'kysely'
import t, { type Test } from 'tap'
import { rotatedAuthenticator, shownAccount } from '../../schemas/admin.js'
import { shownContent } from '../../schemas/contents.js'
import { authenticatorHasher } from '../../src/accounts/authenticators.js'
import { accountsEventsKeys } from '../../src/store/migrations/0001-accounts-events-keys.js'
import { redemptions } from '../../src/store/migrations/0002-redemptions.js'
import { pendingTokens } from '../../src/store/migrations/0003-pending-tokens.js'
import { idempotencyKeys } from '../../src/store/migrations/0004-idempotency-keys.js'
import { requestLimits } from '../../src/store/migrations/0005-request-limits.js'
import { contents } from '../../src/store/migrations/0006-contents.js'
import { redeemingDevices } from '../../src/store/migrations/0007-redeeming-devices.js'
import { drmOptions } from '../../src/store/migrations/0008-drm-options.js'
import { accountSettings } from '../../src/store/migrations/0009-account-settings.js'
import { postgresEngine } from '../../src/store/postgres/postgres-engine.js'
import { sqliteEngine } from '../../src/store/sqlite/sqlite-engine.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { onBothEngines } from '../engines.js'
import { CONTENT_KEY, errorOf, NOON, startTestServer, tokenOf } from '../harness.js'
import { clearKeyBody, KID } from '../redeeming.js'
import { RELEASED_KEYS, releasedToken } from '../tokens/released.js'

/** How many migrations there were then. */
const VERSIONS = {
  'before the gateway': 2,
  'before the entitlement service': 5,
  'before the index of devices': 6,
  'before charge, token style and names of authenticators': 8,
  'before injected refusals were marked': 9,
}

const OWN = '77,0123456789abcdef0123456789abcdef'
const REPLACED = '77,fedcba9876543210fedcba9876543210'

/** A database as a former version left it, with an account and an event. */
async function makeFormer(url: string, version: number): Promise<void> {
  const engine = await (url.startsWith('sqlite:') ? sqliteEngine(url.slice(7)) : postgresEngine(url))
  const db = new Kysely<unknown>({ dialect: engine.dialect })
  const { clustered } = engine
  const all = {
    '0001-accounts-events-keys': { up: (db: Kysely<unknown>) => accountsEventsKeys(db, clustered) },
    '0002-redemptions': { up: (db: Kysely<unknown>) => redemptions(db, clustered) },
    '0003-pending-tokens': { up: (db: Kysely<unknown>) => pendingTokens(db, clustered) },
    '0004-idempotency-keys': { up: (db: Kysely<unknown>) => idempotencyKeys(db, clustered) },
    '0005-request-limits': { up: requestLimits },
    '0006-contents': { up: contents },
    '0007-redeeming-devices': { up: redeemingDevices },
    '0008-drm-options': { up: drmOptions },
    '0009-account-settings': { up: accountSettings },
  }
  const migrations = Object.fromEntries(Object.entries(all).slice(0, version))
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => migrations } }).migrateToLatest()
  if (error !== undefined) throw error
  const [column, option] = version < 8 ? (['playready', '1'] as const) : (['drm', `'{}'`] as const)
  await sql`insert into accounts (id, name, enabled, max_redemptions, ${sql.raw(column)})
    values (77, 'Kino', 1, 3, ${sql.raw(option)})`.execute(db)
  await sql`insert into services (id, account_id, environment, balance, last_event)
    values (154, 77, 'test', 5, 1), (155, 77, 'production', 6, 0)`.execute(db)
  await sql`insert into events (service_id, event_id, time, event, drm, kids, error_code, request_id)
    values (154, 1, 0, 'token_refused', 'playready', '', -2020, 'former')`.execute(db)
  // RFC 3394, 4.1.
  await sql`insert into keys (service_id, kid, ek, last_update) values (154, ${KID}, ${WRAPPED.ek}, 0)`.execute(db)
  const hash = authenticatorHasher(Buffer.alloc(32, 7))
  const stored = (authenticator: string) => hash(authenticator).toString('hex')
  await sql`insert into settings (name, value) values ('authenticator salt', ${Buffer.alloc(32, 7).toString('hex')})`.execute(
    db,
  )
  await sql`insert into authenticators (hash, service_id, created_at, valid_until)
    values (${stored(OWN)}, 154, 0, null), (${stored(REPLACED)}, 154, 0, ${NOON + 1})`.execute(db)
  await engine.close()
}

const WRAPPED = {
  kek: '000102030405060708090a0b0c0d0e0f',
  ek: '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5',
  contentKey: '00112233445566778899aabbccddeeff',
}

onBothEngines(t, 'a database of a former version goes on', async (t, database) => {
  for (const [title, version] of Object.entries(VERSIONS))
    await t.test(title, async t => {
      const url = await database()
      await makeFormer(url, version)
      await goesOn(t, url)
    })
})

onBothEngines(
  t,
  'tokens of a former version are redeemed, and counted under the ids that they had',
  async (t, database) => {
    const url = await database()
    await makeFormer(url, VERSIONS['before the index of devices'])
    const [counted, uncounted] = [releasedToken('plain'), releasedToken('two keys and an extension')]
    await countRedemption(url, counted.opened.id)
    const settings = { DATABASE_URL: url, TOKEN_KEYS: RELEASED_KEYS }
    const server = await startTestServer(t, { settings })
    const redeem = async ({ token }: { token: string }) => {
      server.keepSecret(token)
      const query = new URLSearchParams({ ExpressPlayToken: token })
      return (await fetch(`${server.url}/hms/ck/rights/?${query}`, { method: 'POST', body: clearKeyBody(KID) })).status
    }
    const statuses = async (token: { token: string }) => [
      await redeem(token),
      await redeem(token),
      await redeem(token),
      await redeem(token),
    ]
    t.same(await statuses(counted), [200, 200, 403, 403], 'one of three was used before')
    t.same(await statuses(uncounted), [200, 200, 200, 403])
  },
)

async function countRedemption(url: string, tokenId: string): Promise<void> {
  const engine = await (url.startsWith('sqlite:') ? sqliteEngine(url.slice(7)) : postgresEngine(url))
  const db = new Kysely<unknown>({ dialect: engine.dialect })
  await sql`insert into redemptions (service_id, token_id, count, expires_at)
    values (154, ${tokenId}, 1, ${NOON + 30 * 86_400_000})`.execute(db)
  await engine.close()
}

async function goesOn(t: Test, DATABASE_URL: string): Promise<void> {
  const server = await startTestServer(t, { settings: { DATABASE_URL } })
  const admin = administratorOf(server)
  t.match(await bodyOf(shownAccount, admin.get('/accounts/77')), {
    name: 'Kino',
    maxRedemptions: 3,
    limits: { requestsPerMinute: null, tokensPerDay: null },
    drm: { playready: true, widevine: true, fairplay: true, marlin: true },
    charge: 'issue',
    tokenStyle: null,
    strictParameters: null,
    services: {
      test: { balance: 5, authenticators: [{ name: /^unnamed-/ }, { name: /^unnamed-/ }] },
      production: { balance: 6 },
    },
  })

  for (const customerAuthenticator of [OWN, REPLACED])
    t.match(await errorOf(await server.get({ customerAuthenticator, kid: 'x' })), { code: -4020 }, 'it is valid')

  const rotated = await bodyOf(rotatedAuthenticator, admin.post('/accounts/77/authenticators', { environment: 'test' }))
  const { authenticator: customerAuthenticator } = rotated
  server.keepSecret(customerAuthenticator.slice(3))
  const { kek, contentKey } = WRAPPED
  const stored = await server.get(
    { customerAuthenticator, kid: KID, contentKey: null, kek },
    { accept: 'application/json' },
  )
  t.match(server.openToken(await tokenOf(stored))?.keys, [{ kid: KID, contentKey }], 'its stored keys go into tokens')
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
      [6, -2019],
      [5, 0],
      [4, 0],
      [3, -4020],
      [2, -4020],
      [1, -2020],
    ],
  )
  t.match(await bodyOf(shownAccount, admin.get('/accounts/77')), { services: { test: { balance: 3 } } })

  const content = {
    keys: [{ kid: '00000000000000000000000000000001', contentKey: CONTENT_KEY }],
    policy: {
      rightsType: 'BuyToOwn',
      analogVideoOPL: 100,
      compressedDigitalAudioOPL: 100,
      compressedDigitalVideoOPL: 100,
      uncompressedDigitalAudioOPL: 100,
      uncompressedDigitalVideoOPL: 100,
    },
    duration: 60,
    viewers: 'everyone',
  }
  server.keepSecret(CONTENT_KEY)
  const path = '/contents/3f2504e0-4f89-11d3-9a0c-0305e82c3301'
  t.equal((await admin.ask('PUT', path, content)).status, 201)
  t.match(await bodyOf(shownContent, admin.get(path)), { readable: true, duration: 60 })
}
