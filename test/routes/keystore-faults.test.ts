import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { KeyRepository } from '../../src/store/key-repository.js'
import type { Store } from '../../src/store/store.js'
import { type KeyRow, serviceId } from '../../src/store/tables.js'
import { appWith } from '../app.js'
import { accounts, NOON, startTestServer } from '../harness.js'
import { keystoreOf } from '../keystore.js'
import { startOwnPostgres } from '../postgres.js'

const KEK = '000102030405060708090a0b0c0d0e0f'
const SECRET = 'a secret in the text of an error'
const query = `customerAuthenticator=${accounts[0]?.authenticators.test}`

/** Keys without end, made as they are read. */
class EndlessKeys extends KeyRepository {
  pages = 0

  constructor() {
    super(undefined as never) // no database is asked
  }

  override async page(_service: number, after: string, limit: number): Promise<KeyRow[]> {
    this.pages += 1
    const next = after === '' ? 0 : Number.parseInt(after, 16) + 1
    return Array.from({ length: limit }, (_, index) => key(next + index))
  }
}

class BreakingKeys extends EndlessKeys {
  override async page(service: number, after: string, limit: number): Promise<KeyRow[]> {
    if (this.pages === 3) throw new Error(SECRET)
    return super.page(service, after, limit)
  }
}

function key(number: number): KeyRow {
  return {
    service_id: serviceId(201722, 'test'),
    kid: number.toString(16).padStart(32, '0'),
    ek: '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5',
    kek_id: null,
    info: 'x'.repeat(4096),
    content_id: null,
    expiration: null,
    last_update: NOON,
  }
}

async function keystoreWith(t: Test, store: Partial<Store> = {}) {
  const { services, log, listen } = await appWith(t, { faults: { store } })
  return { store: services.store, log, url: `${await listen()}/keystore` }
}

/** Turns enough of the event loop, on both sides, for everything that does not wait for a reader. */
async function roundTrips(url: string): Promise<void> {
  for (let trip = 0; trip < 50; trip += 1) await (await fetch(new URL('/healthz', url))).text()
}

/** The head of an answer whose body nobody reads yet. */
async function unread(t: Test, url: string): Promise<IncomingMessage> {
  const request = get(url, { agent: false })
  t.teardown(() => request.destroy())
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

t.test('a list that breaks in the middle ends brokenly', async t => {
  const { url, log } = await keystoreWith(t, { keys: new BreakingKeys() })
  const response = await fetch(`${url}/keys?${query}`)
  t.equal(response.status, 200)
  await t.rejects(response.text(), { message: 'terminated' })
  t.match(log.join(), '"msg":"failed"', 'the log says where')
  t.notMatch(log.join(), SECRET)
})

t.test('a store that is down is a 503, even where a list would begin', async t => {
  const broken = new BreakingKeys()
  broken.pages = 3
  const { url, log } = await keystoreWith(t, { keys: broken })
  const response = await fetch(`${url}/keys?${query}`)
  t.equal(response.status, 503)
  t.equal(response.headers.get('content-type'), 'application/json')
  t.same(await response.json(), { code: 1, message: 'The key storage is unavailable' })
  t.notMatch(log.join(), SECRET)
})

t.test('an unforeseen error is code 1, and says nothing of what it failed on', async t => {
  class OddKeys extends EndlessKeys {
    override async find(): Promise<KeyRow[]> {
      return [{ ...key(1), ek: Symbol(SECRET) as never }] // nothing that a database has
    }
  }
  const { url, log } = await keystoreWith(t, { keys: new OddKeys() })
  const response = await fetch(`${url}/keys/${key(1).kid}?${query}&kek=${KEK}`)
  t.equal(response.status, 500)
  t.same(await response.json(), { code: 1, message: 'Internal server error' })
  t.match(log.join(), '"msg":"failed"')
  t.notMatch(log.join(), SECRET)
})

t.test('what is read ahead for a slow client is bounded, and ends with it', async t => {
  const keys = new EndlessKeys()
  const { url } = await keystoreWith(t, { keys })
  const response = await unread(t, `${url}/keys?${query}`)
  for (let seen = 0; seen < keys.pages; await roundTrips(url)) seen = keys.pages
  t.ok(keys.pages < 20, `${keys.pages} pages of 2 MB are on their way`)
  response.destroy()
  await roundTrips(url)
  const atItsEnd = keys.pages
  await roundTrips(url)
  t.equal(keys.pages, atItsEnd)
})

t.test('while one reads slowly, others are answered', async t => {
  const { store, url } = await keystoreWith(t)
  for (let number = 0; number < 6000; number += 1) await store.keys.add(key(number), NOON)
  const slow = await unread(t, `${url}/keys?${query}`)
  const made = await fetch(`${url}/keys?${query}&kek=${KEK}`, { method: 'POST' })
  t.equal(made.status, 201)
  t.same(await (await fetch(`${url}/keycount?${query}`)).json(), { keyCount: 6001 })
  t.notOk(slow.complete)
  t.ok(((await json(slow)) as unknown[]).length >= 6000, 'and the slow one gets them all')
})

t.test('PostgreSQL comes and goes', async t => {
  const postgres = await startOwnPostgres(t)
  const server = await startTestServer(t, { settings: { DATABASE_URL: await postgres.newDatabase() } })
  const { get, post, put, remove } = keystoreOf(server)
  t.equal((await post('/keys', { kek: KEK, body: { kid: '^a' } })).status, 201)
  await postgres.stop()
  for (const answer of [
    await post('/keys', { kek: KEK }),
    await put('/keys/^a', { body: {} }),
    await get('/keys/^a'),
    await get('/keys/^a/value'),
    await get('/keys'),
    await get('/keycount'),
    await remove('/keys/^a'),
  ]) {
    t.equal(answer.status, 503)
    t.equal(answer.headers['content-type'], 'application/json')
    t.match(JSON.parse(answer.body), { code: 1, message: String })
  }
  await postgres.start()
  t.equal((await get('/keys/^a')).status, 200)
})
