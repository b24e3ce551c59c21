import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { TokenRequestSchema } from '../../schemas/token-request.js'
import { saltOf } from '../../src/accounts/authenticators.js'
import { playready } from '../../src/drm/playready-family.js'
import { pooledRandomness, randomBytes } from '../../src/ground/randomness.js'
import { Fingerprints } from '../../src/idempotency/fingerprints.js'
import { type Outcome, sealOutcome } from '../../src/idempotency/keyed-outcome.js'
import { openStore, type Store } from '../../src/store/store.js'
import { serviceId } from '../../src/store/tables.js'
import { TokenVault } from '../../src/tokens/vault.js'
import { type AppOptions, appWith } from '../app.js'
import { onBothEngines } from '../engines.js'
import { type Change, form, NOON } from '../harness.js'
import { failingLedger } from '../ledger/failing-ledger.js'

const random = pooledRandomness()
const vault = new TokenVault([randomBytes(random, 32)], random)
const SERVICE = serviceId(201722, 'test')
const MINUTE = 60_000
/** Longer than any request takes. */
const LEASE = 5 * MINUTE

onBothEngines(t, 'what may have issued a token is never done again', async (t, database) => {
  const url = await database()
  const store = await storeFor(t, url)

  t.test('a request whose process has ended has no certain outcome', async t => {
    const newEvents = await eventsFrom(store)
    let now = NOON
    const { ask } = await instance(t, { store, now: () => now, uptime: hurried() })
    await (await otherInstance(store)).claim('a', NOON)

    // In PostgreSQL another one may be at it, for a while.
    if (!isOfOneProcess(url)) {
      now = NOON + LEASE - 1
      const underWay = await ask('a')
      t.match(underWay, { statusCode: 409, headers: { 'retry-after': '1' } })
      t.match(underWay.json(), { code: 409, parameter: 'Idempotency-Key' })
      now = NOON + LEASE
    }
    t.match((await ask('a', { cookie: 'another' })).json(), { code: 422 })
    for (const answer of await Promise.all([ask('a'), ask('a'), ask('a')])) {
      t.match(answer, { statusCode: 502 })
      t.match(answer.json(), { code: -2030, message: /unknown whether .* issued a token.* use a new key/ })
    }
    t.same(await newEvents(), [], 'nothing was issued, and nothing was refused')
    t.match((await ask('b')).json(), { token: String })
  })

  t.test('the outcome of a request to another instance is waited for', async t => {
    if (isOfOneProcess(url)) return
    const newEvents = await eventsFrom(store)
    const { ask } = await instance(t, { store })
    const other = await otherInstance(store)
    const token = { token: 'the-token', licenseAcquisitionUrl: 'https://pr.test.expressplay.com/' }

    await other.claim('other-a', NOON)
    const answers = Promise.all([ask('other-a'), ask('other-a'), ask('other-a')])
    await store.readiness()
    await other.complete('other-a', token)
    for (const answer of await answers) {
      t.same(answer.json(), token)
      t.equal(answer.headers['idempotency-replayed'], 'true')
    }
    await other.claim('other-b', NOON)
    const unknown = ask('other-b')
    await other.complete('other-b', { unknown: 504 })
    t.match((await unknown).json(), { code: -2030 })
    t.equal((await unknown).statusCode, 504)
    t.same(await newEvents(), [])

    await other.claim('other-c', NOON)
    const issued = Promise.all([ask('other-c'), ask('other-c'), ask('other-c')])
    await store.readiness()
    await other.release('other-c')
    t.equal(new Set((await issued).map(answer => answer.json<{ token: string }>().token)).size, 1)
    t.same(await newEvents(), ['token_issued'], 'one of those who waited')
  })

  t.test('a ledger that fails may have booked the token', async t => {
    const newEvents = await eventsFrom(store)
    const failing = await instance(t, {
      store,
      faults: { ledger: failingLedger('the connection is lost') },
    })
    const { ask } = await instance(t, { store })
    t.match(await failing.ask('ledger-a'), { statusCode: 503 })
    t.match((await failing.ask('ledger-a')).json(), { code: -2030, message: /use a new key/ })
    t.match((await ask('ledger-a')).json(), { code: -2030, message: /use a new key/ })
    t.same(await newEvents(), [])
    t.match((await failing.ask('ledger-b', { kid: 'short' })).statusCode, 503, 'a refusal that could not be booked')
    t.match((await ask('ledger-b')).json(), { token: String }, 'leaves the key free')
  })

  t.test('no token, no request and no key is in the database in clear', async t => {
    const { ask } = await instance(t, { store })
    const { token } = (await ask('the-name-of-a-key')).json<{ token: string }>()
    const bytes = await contentOf(url)
    t.match(bytes, 'token_issued', 'it is the database')
    for (const secret of [
      token,
      token.slice(40, 80),
      'the-name-of-a-key',
      'RightsManager.asmx',
      form().get('contentKey') ?? '',
    ])
      t.notOk(bytes.includes(secret), secret)
  })
})

/** An SQLite file has one process: this one. */
function isOfOneProcess(url: string): boolean {
  return url.startsWith('sqlite:')
}

/** A store that outlives the instances on it. */
async function storeFor(t: Test, url: string): Promise<Store> {
  const store = await openStore(url)
  t.teardown(() => store.close())
  return store
}

async function instance(t: Test, options: AppOptions & Required<Pick<AppOptions, 'store'>>) {
  const { ask } = await appWith(t, { vault, ...options })
  return { ask: (key: string, change: Change = {}) => ask(change, { 'idempotency-key': key }) }
}

/** What another instance on the same database does with the keys of the same requests. */
async function otherInstance(store: Store) {
  const fingerprints = new Fingerprints(await saltOf(store.accounts, random))
  const parameters = new TokenRequestSchema(playready, () => NOON).sort(Object.fromEntries(form()), undefined)
  const claimOf = (key: string) => ({
    service_id: SERVICE,
    key_hash: fingerprints.ofKey(SERVICE, key),
    request_hash: fingerprints.ofRequest('playready', parameters),
    claim: 'of another instance',
    expires_at: NOON + 60 * MINUTE,
  })
  return {
    claim: (key: string, at: number) => store.idempotency.claim(claimOf(key), at),
    release: (key: string) => store.idempotency.release(claimOf(key)),
    complete: (key: string, outcome: Outcome) =>
      store.idempotency.complete(claimOf(key), sealOutcome(vault.texts, claimOf(key), outcome), NOON + 60 * MINUTE),
  }
}

/** Counts four seconds whenever it is looked at: nobody in this test has the patience of a caller. */
function hurried(): () => number {
  let seconds = 0
  return () => {
    seconds += 4
    return seconds * 1000
  }
}

/** What is in the log that was not there before. */
async function eventsFrom(store: Store): Promise<() => Promise<string[]>> {
  const [newest] = await store.events.newest(SERVICE, 1)
  const before = newest?.event_id ?? 0
  return async () => (await store.events.following(SERVICE, before, 100)).map(({ event }) => event)
}

/** Everything that the database has on its disk. */
async function contentOf(url: string): Promise<string> {
  if (!url.startsWith('sqlite:')) return rowsOf(url)
  const path = url.slice('sqlite:'.length)
  const folder = join(path, '..')
  const name = path.slice(folder.length + 1)
  const files = (await readdir(folder)).filter(file => file.startsWith(name))
  return (await Promise.all(files.map(file => readFile(join(folder, file), 'latin1')))).join()
}

async function rowsOf(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows: tables } = await client.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public'",
  )
  const content: unknown[] = []
  for (const { name } of tables) content.push((await client.query(`select * from "${name}"`)).rows)
  await client.end()
  return JSON.stringify(content)
}
