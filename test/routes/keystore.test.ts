import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { ServerOptions } from '../../src/index.js'
import { repetitions } from '../counts.js'
import { accounts, errorOf, NOON, startTestServer, tokenOf } from '../harness.js'
import { type KeystoreAnswer, type KeystoreQuestion, keystoreOf, send } from '../keystore.js'
import { startPostgres } from '../postgres.js'

const KEK = '000102030405060708090a0b0c0d0e0f'
const OTHER_KEK = 'ff0102030405060708090a0b0c0d0e0f'
const KEK_ID = '#1.afe008a381bdac03b412a92d54b92ddf'
const KEY = '7d1c0c5e9b3f4826a1e7c0d95b64f213'
const KID = '4e2df6b45e8257e187b2802b22ae7418'
const HEX32 = /^[0-9a-f]{32}$/
const HEX48 = /^[0-9a-f]{48}$/
const MINUTE = 60_000
const KEYS = repetitions({ usual: 1200, long: 2500 })
const NOON_TEXT = '2026-06-01T12:00:00Z'

interface Vector {
  readonly source: string
  readonly kek: string
  readonly key: string
  readonly wrapped: string
}

const { vectors } = JSON.parse(readFileSync('test/vectors/key-wrap.json', 'utf8')) as {
  vectors: Vector[]
} // ours

interface KeyObject {
  readonly kid: string
  readonly k?: string
  readonly ek?: string
  readonly kekId?: string
  readonly info?: string
  readonly lastUpdate: string
}

const postgres = await startPostgres(t)
const engines = { SQLite: async () => 'memory:', PostgreSQL: () => postgres.newDatabase() }

for (const [engine, newDatabase] of Object.entries(engines))
  t.test(engine, async t => {
    /** A server on a new database. */
    async function start(t: Test, options: ServerOptions = {}) {
      const server = await startTestServer(t, { ...options, settings: { DATABASE_URL: await newDatabase() } })
      return { server, ...keystoreOf(server) }
    }

    t.test('POST makes what is not given, and answers what it stored', async t => {
      const { post, get } = await start(t)
      for (const body of [undefined, '', {}]) {
        const answer = await post('/keys', { kek: KEK, body })
        t.equal(answer.status, 201)
        t.equal(answer.headers['content-type'], 'application/json')
        const made = keyIn(answer)
        t.same(Object.keys(made), ['kid', 'k', 'ek', 'kekId', 'lastUpdate'])
        t.match(made, { kid: HEX32, k: HEX32, ek: HEX48, kekId: KEK_ID, lastUpdate: NOON_TEXT })
        t.equal(answer.headers.location, `/keystore/keys/${made.kid}`)
        const { ek, ...opened } = made
        t.same(keyIn(await get(`/keys/${made.kid}`, { kek: KEK })), opened)
      }
      t.match(JSON.parse((await get('/keycount')).body), { keyCount: 3 })
    })

    t.test('POST keeps what is given', async t => {
      const { post, get } = await start(t)
      const given = {
        kekId: 'my KEK ☃ 𝒳',
        info: '"quoted", <b>\\ \u0001\n',
        contentId: 'urn:example:film-7',
        expiration: '2030-12-31T23:59:59+02:00',
      }
      const kid = KID.toUpperCase()
      const stored = { ...given, kid: KID, expiration: '2030-12-31T21:59:59Z', lastUpdate: NOON_TEXT }
      const answer = await post('/keys', { kek: KEK.toUpperCase(), body: { ...given, kid, k: KEY.toUpperCase() } })
      t.equal(answer.status, 201)
      t.match(keyIn(answer), { ...stored, k: KEY, ek: HEX48 })
      t.same(keyIn(await get(`/keys/${kid}`, { kek: KEK })), { ...stored, k: KEY })
      const unknown = { kid: '^unknown', ek: '0'.repeat(48), lastUpdate: 'never', foo: [1], info: null }
      const bare = keyIn(await post('/keys', { body: unknown }))
      t.same(Object.keys(bare), ['kid', 'ek', 'lastUpdate'], 'unknown fields are ignored, and null is nothing')
      const moment = keyIn(await post('/keys', { kek: KEK, body: { expiration: '2030-01-01T00:00:00.250Z' } }))
      t.match(moment, { expiration: '2030-01-01T00:00:00.250Z' })
    })

    t.test('POST of a KID that is there answers the stored key, whatever else is said', async t => {
      const { post } = await start(t)
      const first = keyIn(await post('/keys', { kek: KEK, body: { kid: KID, info: 'first' } }))
      const others = { k: KEY, info: 'second', expiration: NOON_TEXT }
      const wrong = { k: 'zz', expiration: 'tomorrow' }
      for (const body of [{ kid: KID }, { kid: KID.toUpperCase(), ...others }, { kid: KID, ...wrong }]) {
        const again = await post('/keys', { kek: KEK, body })
        t.equal(again.status, 200)
        t.notOk(again.headers.location)
        t.same(keyIn(again), first)
      }
      const { k, ...wrapped } = first
      const withoutKek = await post('/keys', { body: { kid: KID } })
      t.equal(withoutKek.status, 200, 'no KEK is needed, because no key is made')
      t.same(keyIn(withoutKek), wrapped)
      t.same(faultOf(await post('/keys', { kek: OTHER_KEK, body: { kid: KID } })), [400, 5])
    })

    t.test('PUT changes the fields that are given and no others', async t => {
      const clock = { now: NOON }
      const { post, put, get } = await start(t, { now: () => clock.now })
      const { ek } = keyIn(await post('/keys', { kek: KEK, body: { kid: KID, k: KEY, kekId: 'a', info: 'b' } }))
      const change = async (body: object | undefined, expected: object, kek?: string) => {
        clock.now += MINUTE
        const answer = await put(`/keys/${KID}`, { kek, body })
        t.same([answer.status, answer.body], [200, ''])
        const lastUpdate = new Date(clock.now).toISOString().replace('.000Z', 'Z')
        t.same(keyIn(await get(`/keys/${KID}`)), { kid: KID, ...expected, lastUpdate })
      }
      await change({ contentId: 'c' }, { ek, kekId: 'a', info: 'b', contentId: 'c' })
      await change({ info: 'd', kid: 'ignored' }, { ek, kekId: 'a', info: 'd', contentId: 'c' })
      await change({ info: null, kekId: '' }, { ek, kekId: '', contentId: 'c' })
      const wrapped = vectors[0]?.wrapped.toLowerCase()
      await change({ ek: wrapped }, { ek: wrapped, kekId: '', contentId: 'c' })
      await change({ k: KEY }, { ek, kekId: '', contentId: 'c' }, KEK)
      await change(undefined, { ek, kekId: '', contentId: 'c' })
      await change(
        { expiration: '2031-01-01T00:00:00Z' },
        {
          ek,
          kekId: '',
          contentId: 'c',
          expiration: '2031-01-01T00:00:00Z',
        },
      )
      await change({ expiration: null }, { ek, kekId: '', contentId: 'c' })

      t.same(faultOf(await put(`/keys/${KID}`, { body: { k: KEY } })), [400, 2], 'k without a KEK')
      t.same(faultOf(await put(`/keys/${KID}`, { kek: KEK, body: { k: KEY, ek } })), [400, 2])
      t.same(faultOf(await put(`/keys/${KID}`, { kek: OTHER_KEK, body: { ek } })), [400, 5])
      t.same(faultOf(await put('/keys/^none', { body: { info: 'x' } })), [404, 2])
    })

    t.test('GET opens with the KEK, and leaves it to the client without', async t => {
      const { post, get } = await start(t)
      const { ek } = keyIn(await post('/keys', { kek: KEK, body: { kid: KID, k: KEY } }))
      const clear = await get(`/keys/${KID}`, { kek: KEK })
      t.equal(clear.headers['content-type'], 'application/json')
      t.same(keyIn(clear), { kid: KID, k: KEY, kekId: KEK_ID, lastUpdate: NOON_TEXT })
      t.same(keyIn(await get(`/keys/${KID}`)), { kid: KID, ek, kekId: KEK_ID, lastUpdate: NOON_TEXT })
      const value = await get(`/keys/${KID}/value`, { kek: KEK })
      t.equal(value.headers['content-type'], 'text/plain')
      t.equal(value.body, KEY)
      t.equal((await get(`/keys/${KID}/value`)).body, `#${ek}`)
      for (const path of [`/keys/${KID}`, `/keys/${KID}/value`])
        t.same(faultOf(await get(path, { kek: OTHER_KEK })), [400, 5])
      for (const path of ['/keys/^none', '/keys/^none/value']) t.same(faultOf(await get(path)), [404, 2])
    })

    t.test('GET of several KIDs answers in the order asked', async t => {
      const { post, get } = await start(t)
      const kids = ['^a', '^b', '^c']
      const keys: KeyObject[] = []
      for (const kid of kids) keys.push(keyIn(await post('/keys', { kek: KEK, body: { kid } })))
      const [a, b, c] = keys
      for (const path of ['/keys/^c,^a,^b', '/keys/%5Ec%2C%5Ea,%5eb', `/keys/${c?.kid},^a,${b?.kid.toUpperCase()}`]) {
        const several = await get(path, { kek: KEK })
        t.same(several.headers['content-type'], 'application/json')
        t.same(
          (JSON.parse(several.body) as KeyObject[]).map(({ k }) => k),
          [c?.k, a?.k, b?.k],
        ) // checked here
        t.equal((await get(`${path}/value`, { kek: KEK })).body, [c?.k, a?.k, b?.k].join())
        t.equal((await get(`${path}/value`)).body, [c?.ek, a?.ek, b?.ek].map(ek => `#${ek}`).join())
      }
      t.equal((await get('/keys/^a,^a/value', { kek: KEK })).body, `${a?.k},${a?.k}`)
      const hundred = Array.from({ length: 100 }, () => a?.kid).join()
      t.equal((await get(`/keys/${hundred}/value`)).body.length, 100 * 50 - 1)
      t.same(faultOf(await get(`/keys/${hundred},^b`)), [400, 2], 'more than a hundred')
      t.same(faultOf(await get('/keys/^a,^none')), [404, 2], 'one that is missing')
      t.same(faultOf(await get('/keys/^a,')), [400, 2])
      await post('/keys', { kek: OTHER_KEK, body: { kid: '^other' } })
      t.same(faultOf(await get('/keys/^a,^other', { kek: KEK })), [400, 5], 'one of another KEK')
    })

    t.test('DELETE takes a key away', async t => {
      const { post, get, remove } = await start(t)
      const old = keyIn(await post('/keys', { kek: KEK, body: { kid: '^a' } }))
      await post('/keys', { kek: KEK, body: { kid: '^b' } })
      const removed = await remove('/keys/%5Ea')
      t.same([removed.status, removed.body], [200, ''])
      t.same(faultOf(await remove('/keys/^a')), [404, 2])
      t.same(faultOf(await get('/keys/^a')), [404, 2])
      t.same(faultOf(await remove('/keys/^a,^b')), [400, 2], 'one at a time')
      t.match(JSON.parse((await get('/keycount')).body), { keyCount: 1 })
      t.not(keyIn(await post('/keys', { kek: KEK, body: { kid: '^a' } })).k, old.k, 'a new key may have its KID')
    })

    t.test('GET of all keys, and their number', async t => {
      const { post, get } = await start(t)
      const empty = await get('/keys')
      t.same([empty.status, empty.headers['content-type'], empty.body], [200, 'application/json', '[]'])
      for (const kek of [KEK, KEK, OTHER_KEK]) await post('/keys', { kek })
      const listed = async (kek?: string) => JSON.parse((await get('/keys', { kek })).body) as KeyObject[]
      const wrapped = await listed()
      t.equal(wrapped.filter(({ k, ek }) => ek !== undefined && k === undefined).length, 3)
      t.same(
        wrapped.map(({ kid }) => kid),
        wrapped.map(({ kid }) => kid).sort(),
      )
      const clear = await listed(KEK)
      t.equal(clear.filter(({ k, ek }) => k !== undefined && ek === undefined).length, 2)
      t.equal(clear.filter(({ k, ek }) => k === undefined && ek !== undefined).length, 1, 'what it does not open')
      const count = await get('/keycount')
      t.same([count.status, count.headers['content-type'], count.body], [200, 'application/json', '{"keyCount":3}'])
    })

    t.test(`${KEYS} keys are listed completely, piece by piece`, async t => {
      const { server, get } = await start(t)
      const url = `${server.url}/keystore/keys?customerAuthenticator=${accounts[0]?.authenticators.test}`
      const ek = 'b6862c586af0d70fdc594deb7b254bb38937113dbc6411ea'
      const kids = Array.from({ length: KEYS }, (_, index) => index.toString(16).padStart(32, '0'))
      const waiting = [...kids]
      const fill = async () => {
        for (let kid = waiting.pop(); kid !== undefined; kid = waiting.pop())
          await send(url, 'POST', {}, JSON.stringify({ kid, ek, info: 'x'.repeat(500) }))
      }
      await Promise.all(Array.from({ length: 16 }, fill))
      const list = await get('/keys')
      t.same(
        (JSON.parse(list.body) as KeyObject[]).map(({ kid }) => kid),
        kids,
      ) // compared here
      t.ok(list.parts > KEYS / 600, `${list.parts} pieces`)
      t.equal(list.headers['transfer-encoding'], 'chunked')
      t.equal((await get('/keycount')).body, `{"keyCount":${KEYS}}`)
    })

    t.test('a ^string is its hash', async t => {
      const { post, get } = await start(t)
      t.match(keyIn(await post('/keys', { kek: KEK, body: { kid: '^kid1' } })), {
        kid: '80ea8bc8a58f990ad1f76bc665b30bfa',
      })
      const odd = '^Ünï ☃/?#%'
      const { kid } = keyIn(await post('/keys', { kek: KEK, body: { kid: odd } }))
      t.equal(kid, createHash('sha1').update(odd.slice(1)).digest('hex').slice(0, 32))
      t.equal((await get(`/keys/${encodeURIComponent(odd)}`)).status, 200)
      t.same(faultOf(await get(`/keys/${encodeURIComponent(`^${'☃'.repeat(65)}`)}`)), [400, 2])
      t.equal((await post('/keys', { kek: KEK, body: { kid: `^${'☃'.repeat(64)}` } })).status, 201)
    })

    t.test('published vectors, wrapped and unwrapped', async t => {
      const { post, get } = await start(t)
      for (const { source, kek, key, wrapped } of vectors) {
        const made = keyIn(await post('/keys', { kek, body: { k: key } }))
        t.equal(made.ek, wrapped.toLowerCase(), source)
        const { kid } = keyIn(await post('/keys', { body: { ek: wrapped } }))
        t.equal((await get(`/keys/${kid}/value`, { kek })).body, key.toLowerCase(), source)
      }
    })

    t.test('a client that wraps by itself', async t => {
      const { server, post, get } = await start(t)
      const [{ kek, key, wrapped } = { kek: '', key: '', wrapped: '' }] = vectors
      const bytes = Buffer.from(kek, 'hex')
      const kekId = `#1.${createHash('sha1').update('KEKID_1').update(bytes).digest('hex').slice(0, 32)}`
      const answer = await post('/keys', { body: { kid: '^film-7', ek: wrapped, kekId } })
      t.equal(answer.status, 201)
      t.same(keyIn(answer), {
        kid: keyIn(answer).kid,
        ek: wrapped.toLowerCase(),
        kekId,
        lastUpdate: NOON_TEXT,
      })
      t.match(keyIn(await get('/keys/^film-7', { kek })), { k: key.toLowerCase(), kekId })
      const both = keyIn(await post('/keys', { kek, body: { kid: '^film-7', ek: wrapped } }))
      t.match(both, { k: key.toLowerCase(), ek: wrapped.toLowerCase() }, 'it may give the KEK as well')
      t.same(faultOf(await post('/keys', { kek: OTHER_KEK, body: { kid: '^new', ek: wrapped } })), [400, 5])
      t.same(faultOf(await get('/keys/^new')), [404, 2], 'and nothing is stored')

      const token = await server.get({ contentKey: null, kek, kid: '^film-7' })
      t.match(server.openToken(await tokenOf(token))?.keys, [{ contentKey: key.toLowerCase() }])
    })

    t.test('a token takes its key from here', async t => {
      const clock = { now: NOON }
      const { server, post } = await start(t, { now: () => clock.now })
      const { k } = keyIn(await post('/keys', { kek: KEK, body: { kid: KID, expiration: '2026-06-01T12:01:00Z' } }))
      const ask = (change: Record<string, string>) => server.get({ contentKey: null, kek: KEK, kid: KID, ...change })
      t.match(server.openToken(await tokenOf(await ask({})))?.keys, [{ kid: KID, contentKey: k }])
      const refused = async (change: Record<string, string>) => {
        const response = await ask(change)
        t.match({ ...(await errorOf(response)), status: response.status }, { code: -4019, status: 400 })
      }
      await refused({ kek: OTHER_KEK })
      await refused({ kid: '^unknown' })
      await refused({ customerAuthenticator: '5,00000000000000000000000000000005' })
      clock.now += MINUTE
      await refused({})
    })

    t.test('an expired key is gone', async t => {
      const clock = { now: NOON }
      const { post, put, get, remove } = await start(t, { now: () => clock.now })
      const body = { kid: KID, expiration: '2026-06-01T12:01:00Z' }
      const { k } = keyIn(await post('/keys', { kek: KEK, body: { ...body, info: 'first' } }))
      clock.now += MINUTE - 1
      t.equal((await get(`/keys/${KID}/value`, { kek: KEK })).body, k)
      t.equal((await post('/keys', { kek: KEK, body })).status, 200)

      clock.now += 1
      for (const answer of [
        await get(`/keys/${KID}`, { kek: KEK }),
        await get(`/keys/${KID}/value`),
        await put(`/keys/${KID}`, { body: { expiration: null } }),
        await remove(`/keys/${KID}`),
      ])
        t.same(faultOf(answer), [404, 2])
      t.equal((await get('/keys')).body, '[]')
      t.equal((await get('/keycount')).body, '{"keyCount":0}')
      const replaced = await post('/keys', { kek: OTHER_KEK, body: { kid: KID } })
      t.equal(replaced.status, 201)
      t.not(keyIn(replaced).k, k)
      t.same(Object.keys(keyIn(replaced)), ['kid', 'k', 'ek', 'kekId', 'lastUpdate'], 'nothing is left of the old one')

      await put(`/keys/${KID}`, { body: { expiration: new Date(clock.now).toISOString() } })
      t.same(faultOf(await get(`/keys/${KID}`)), [404, 2], 'a moment that is past ends it at once')
    })

    t.test('Bento4 gets the key of the printed option, and a token request finds it', async t => {
      const { server } = await start(t)
      const { url, body } = requestOfBento4(documentedOption())
      const asked = new URL(url)
      server.keepSecret(asked.searchParams.get('kek') ?? '')
      const post = () =>
        send(`${server.url}${asked.pathname}${asked.search}`, 'POST', { 'content-type': 'application/json' }, body)
      const [first, again] = [await post(), await post()]
      t.same([first.status, again.status], [201, 200])
      // With the KEK in the query it looks for these two, and takes them as they are.
      const { kid, k } = keyIn(first)
      t.match(kid, HEX32)
      t.match(k, HEX32)
      t.match(keyIn(again), { kid, k }, 'packaged a second time')
      const kek = asked.searchParams.get('kek')
      const token = await tokenOf(await server.get({ kid: '^film-7', contentKey: null, kek }))
      t.match(server.openToken(token)?.keys, [{ kid, contentKey: k }])
    })

    t.test('customers and environments see nothing of each other', async t => {
      const { post, put, get, remove } = await start(t)
      const mine = { kek: KEK }
      const others: KeystoreQuestion[] = [
        { kek: KEK, customerAuthenticator: '5,00000000000000000000000000000005' },
        {
          kek: KEK,
          customerAuthenticator: accounts[0]?.authenticators.production ?? '',
          headers: { host: 'api.service.expressplay.com' },
        },
      ]
      const { k } = keyIn(await post('/keys', { ...mine, body: { kid: KID } }))
      for (const other of others) {
        t.same(faultOf(await get(`/keys/${KID}`, other)), [404, 2])
        t.same(faultOf(await put(`/keys/${KID}`, { ...other, body: { info: 'x' } })), [404, 2])
        t.same(faultOf(await remove(`/keys/${KID}`, other)), [404, 2])
        t.equal((await get('/keys', other)).body, '[]')
        t.equal((await get('/keycount', other)).body, '{"keyCount":0}')
        const own = await post('/keys', { ...other, body: { kid: KID } })
        t.equal(own.status, 201)
        t.not(keyIn(own).k, k)
      }
      t.equal((await get(`/keys/${KID}/value`, mine)).body, k)
      t.equal((await get('/keycount', mine)).body, '{"keyCount":1}')
      const test = { ...mine, headers: { host: 'api.test.expressplay.com' } }
      t.equal((await get('/keycount', test)).body, '{"keyCount":1}')
      t.same(faultOf(await get('/keycount', { headers: { host: 'api.service.expressplay.com' } })), [401, -2018])
    })

    t.test('the style of the real service: in upper case, and with a KEK all of a key', async t => {
      const DATABASE_URL = await newDatabase()
      const server = await startTestServer(t, { settings: { DATABASE_URL, KEYSTORE_STYLE: 'expressplay' } })
      const { post, put, get, remove } = keystoreOf(server)
      const kek = '1'.repeat(32)
      const answer = await post('/keys', { kek, body: { kid: KID, k: KEY } })
      const whole = keyIn(answer)
      t.match(whole, { ek: /^[0-9A-F]{48}$/ })
      t.same(whole, {
        kid: KID.toUpperCase(),
        k: KEY.toUpperCase(),
        ek: whole.ek,
        kekId: '#1.952241B0259652B68A8CAE2BE819DFA3390CDB35',
        lastUpdate: NOON_TEXT,
      })
      t.equal(answer.headers.location, `/keystore/keys/${KID.toUpperCase()}`)
      const again = await post('/keys', { kek, body: { kid: KID } })
      t.same([again.status, keyIn(again)], [200, whole])

      const { k, ...wrapped } = whole
      for (const kid of [KID, KID.toUpperCase()]) {
        t.same(keyIn(await get(`/keys/${kid}`, { kek })), whole)
        t.same(keyIn(await get(`/keys/${kid}`)), wrapped)
        t.equal((await get(`/keys/${kid}/value`, { kek })).body, k)
        t.equal((await get(`/keys/${kid}/value`)).body, `#${whole.ek}`)
      }
      const ids = { info: 'lower case', contentId: 'urn:abc', expiration: '2030-12-31T23:59:59Z' }
      const own = keyIn(await post('/keys', { kek, body: { kid: '^own', kekId: '#1.their own, abc', ...ids } }))
      t.match(own, { kid: /^[0-9A-F]{32}$/, k: /^[0-9A-F]{32}$/, kekId: '#1.their own, abc', ...ids })
      const two = `/keys/${KID},^own`
      t.same(JSON.parse((await get(two, { kek })).body), [whole, own])
      t.equal((await get(`${two}/value`, { kek })).body, `${k},${own.k}`)
      t.equal((await get(`${two}/value`)).body, `#${whole.ek},#${own.ek}`)
      const listed = async (question?: KeystoreQuestion) =>
        JSON.parse((await get('/keys', question)).body) as KeyObject[]
      const byKid = (one: KeyObject, other: KeyObject) => (one.kid < other.kid ? -1 : 1)
      t.same(await listed({ kek }), [whole, own].sort(byKid))
      t.same(
        await listed(),
        [whole, own].sort(byKid).map(({ k, ...wrapped }) => wrapped),
      )
      t.same(await listed({ kek: KEK }), await listed(), 'what a KEK does not open stays wrapped')

      const unnamed = { kid: '^unnamed', ek: whole.ek }
      t.notOk('kekId' in keyIn(await post('/keys', { body: unnamed })), 'nobody knows the KEK')
      t.match(keyIn(await get('/keys/^unnamed', { kek })), { k, ek: whole.ek, kekId: whole.kekId })

      t.same(faultOf(await get('/keys/^none', { kek })), [404, 2])
      t.same(faultOf(await get('/keys/^none/value')), [404, 2])
      t.same(faultOf(await put('/keys/^none', { body: { info: 'x' } })), [404, 2])
      t.same(faultOf(await remove('/keys/^none')), [404, 2])
      t.match(
        (await get(`/keys/${KID.replace('4', 'f')}`)).body,
        `There is no key ${KID.replace('4', 'f').toUpperCase()}`,
      )
      t.match((await get(`/keys/${KID}`, { kek: KEK })).body, `Incorrect KEK for the key ${KID.toUpperCase()}`)
      const token = await tokenOf(await server.get({ kid: '^own', contentKey: null, kek }))
      t.match(server.openToken(token)?.keys, [{ contentKey: own.k?.toLowerCase() }], 'tokens take their keys from here')
    })

    t.test('what was stored in one style is read in the other', async t => {
      const DATABASE_URL = await newDatabase()
      const settings = { DATABASE_URL: DATABASE_URL === 'memory:' ? `sqlite:${t.testdir()}/keys.db` : DATABASE_URL }
      const inStyle = async (
        KEYSTORE_STYLE: string,
        run: (keystore: ReturnType<typeof keystoreOf>) => Promise<void>,
      ) => {
        const server = await startTestServer(t, { settings: { ...settings, KEYSTORE_STYLE } })
        await run(keystoreOf(server))
        await server.close()
      }
      await inStyle('skm', async ({ post }) => {
        await post('/keys', { kek: KEK, body: { kid: '^of-skm', k: KEY } })
      })
      await inStyle('expressplay', async ({ post, get }) => {
        t.match(keyIn(await get('/keys/^of-skm', { kek: KEK })), { k: KEY.toUpperCase(), kekId: KEK_ID })
        await post('/keys', { kek: KEK, body: { kid: '^of-expressplay', k: KEY } })
      })
      await inStyle('skm', async ({ get }) => {
        const key = keyIn(await get('/keys/^of-expressplay', { kek: KEK }))
        t.match(key, { kid: HEX32, k: KEY, kekId: /^#1\.AFE008A381BDAC03B412A92D54B92DDF[0-9A-F]{8}$/ })
        t.notOk('ek' in key)
      })
    })

    t.test('at the same time', async t => {
      const { post, put, get } = await start(t)
      for (let round = 0; round < 5; round += 1) {
        const answers = await Promise.all(
          Array.from({ length: 20 }, () => post('/keys', { kek: KEK, body: { kid: `^${round}` } })),
        )
        t.same(answers.map(({ status }) => status).sort(), [...Array(19).fill(200), 201], 'one makes the key')
        t.equal(new Set(answers.map(answer => keyIn(answer).k)).size, 1, 'and all get it')
      }
      for (let round = 0; round < 5; round += 1) {
        const fields = { kekId: `a${round}`, info: `b${round}`, contentId: `c${round}` }
        await Promise.all(Object.entries(fields).map(([name, value]) => put('/keys/^0', { body: { [name]: value } })))
        t.match(keyIn(await get('/keys/^0')), fields, 'no change is lost')
      }
    })
  })

t.test('who asks must be known', async t => {
  const server = await startTestServer(t)
  const { get, post } = keystoreOf(server)
  const refused = async (query: string) => faultOf(await send(`${server.url}/keystore/keys?${query}`, 'POST', {}, '{'))
  t.same(await refused(''), [401, -2017], 'it is told before anything else')
  t.same(await refused('customerAuthenticator='), [401, -2017])
  t.same(await refused('customerAuthenticator=x&kek=x'), [401, -2018])
  t.same(await refused('customerAuthenticator=201722,00000000000000000000000000000000'), [401, -2018])
  const twice = `customerAuthenticator=${accounts[0]?.authenticators.test}`
  t.same(await refused(`${twice}&${twice}`), [401, -2018])
  t.same(faultOf(await get('/keys', { customerAuthenticator: accounts[1]?.authenticators.test ?? '' })), [401, -2031])
  const answer = await get('/keys', { customerAuthenticator: '2,00000000000000000000000000000009' })
  t.same(JSON.parse(answer.body), {
    code: -2018,
    message: 'Authentication token invalid: it is not valid in the test environment',
  })
  const withoutPlayready = accounts[2]?.authenticators.test ?? ''
  t.equal((await post('/keys', { kek: KEK, customerAuthenticator: withoutPlayready })).status, 201)
})

t.test('wrong parameters are refused, and nothing is stored', async t => {
  const server = await startTestServer(t)
  const { get, post, put, remove } = keystoreOf(server)
  const ek = vectors[0]?.wrapped
  const wrongFields: object[] = [
    { k: KEY.slice(1) },
    { k: `${KEY.slice(1)}g` },
    { k: `${KEY}\n` },
    { k: 1 },
    { k: null },
    { k: KEY, ek },
    { ek: `${ek}00` },
    { ek: [ek] },
    { kekId: 'x'.repeat(257) },
    { kekId: 7 },
    { info: 'x'.repeat(4097) },
    { info: 'NUL \0' },
    { info: '\ud800' },
    { contentId: 'x'.repeat(1025) },
    { contentId: '\0' },
    { contentId: {} },
    { expiration: '2030-01-01' },
    { expiration: '2030-01-01T00:00:00' },
    { expiration: '2030-02-30T00:00:00Z' },
    { expiration: 'tomorrow' },
    { expiration: 1_900_000_000 },
  ]
  const wrongKids = ['', 'x', KID.slice(1), `${KID.slice(1)}g`, '^', `^${'x'.repeat(65)}`, 7, null, [KID], {}]
  await post('/keys', { kek: KEK, body: { kid: '^there', k: KEY } })
  const before = (await get('/keys')).body
  for (const body of [...wrongFields, ...wrongKids.map(kid => ({ kid }))])
    t.same(faultOf(await post('/keys', { kek: KEK, body })), [400, 2], JSON.stringify(body).slice(0, 60))
  for (const body of wrongFields)
    t.same(faultOf(await put('/keys/^there', { kek: KEK, body })), [400, 2], JSON.stringify(body).slice(0, 60))
  for (const kid of ['x', KID.slice(1), '^', `^${'x'.repeat(65)}`, '%5E', ',', '%00', 'x'.repeat(5000)])
    for (const ask of [get, put, remove]) t.same(faultOf(await ask(`/keys/${kid}`)), [400, 2], kid.slice(0, 60))
  for (const kek of ['', 'x', KEK.slice(1), `${KEK}00`, `${KEK.slice(1)}g`])
    t.same(faultOf(await get('/keys', { kek })), [400, 2], `kek ${kek}`)
  for (const body of [{}, { k: KEY }, { kid: '^new' }])
    t.same(faultOf(await post('/keys', { body })), [400, 2], 'without a KEK')
  t.equal((await get('/keys')).body, before)
})

t.test('a body is JSON', async t => {
  const server = await startTestServer(t)
  const { post, put } = keystoreOf(server)
  const polluting = ['{"__proto__":{"kid":"^x"}}', '{"constructor":{"prototype":{"kid":"^x"}}}']
  for (const body of ['{', 'null', '[]', '7', '"x"', '{"kid":"^x",}', "{'kid':'^x'}", ...polluting])
    t.same(faultOf(await post('/keys', { kek: KEK, body })), [400, 3], body)
  const long = `{"info":"${'x'.repeat(70_000)}"}`
  t.same(faultOf(await post('/keys', { kek: KEK, body: long })), [413, 3])
  const typed = async (type: string, body: string) =>
    post('/keys', { kek: KEK, body, headers: type === '' ? {} : { 'content-type': type } })
  for (const type of ['application/json; charset=utf-8', 'Application/JSON'])
    t.equal((await typed(type, '{}')).status, 201, type)
  for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'application/jsonp', 'x', 'application/'])
    t.same(faultOf(await typed(type, '{}')), [415, 3], type)
  t.equal((await typed('application/x-www-form-urlencoded', '')).status, 201, 'an empty body is none')
  const url = `${server.url}/keystore/keys?kek=${KEK}&customerAuthenticator=${accounts[0]?.authenticators.test}`
  const untyped = await send(url, 'POST', {}, '{"kid":"^untyped"}')
  t.match(keyIn(untyped), { kid: createHash('sha1').update('untyped').digest('hex').slice(0, 32) })
  t.same(faultOf(await put('/keys/^untyped', { body: '{"info":"x","info":"y"}' })), [400, 3], 'a name twice')
})

t.test('other methods and paths', async t => {
  const server = await startTestServer(t)
  const query = `customerAuthenticator=${accounts[0]?.authenticators.test}`
  const ask = async (method: string, path: string) => send(`${server.url}/keystore${path}?${query}`, method)
  for (const [method, path, allowed] of [
    ['DELETE', '/keys', 'POST, GET'],
    ['HEAD', '/keys', 'POST, GET'],
    ['POST', '/keys/^a', 'PUT, HEAD, GET, DELETE'],
    ['PUT', '/keys/^a/value', 'HEAD, GET'],
    ['POST', '/keycount', 'HEAD, GET'],
  ] as const) {
    const { status, headers } = await ask(method, path)
    t.same([status, headers.allow?.split(', ').sort()], [405, allowed.split(', ').sort()], `${method} ${path}`)
  }
  for (const path of ['', '/', '/key', '/keys/^a/b', '/keys/^a/value/'])
    t.equal((await ask('GET', path)).status, 404, path)
  t.equal((await ask('HEAD', '/keycount')).status, 200)
})

t.test('the log names routes and codes, and nothing that was sent', async t => {
  const server = await startTestServer(t)
  const { get, post, put } = keystoreOf(server)
  await post('/keys', { kek: KEK, body: { kid: '^a', info: 'a private remark' } })
  await post('/keys', { kek: OTHER_KEK, body: { kid: '^a' } })
  await post('/keys', { kek: KEK, body: `{"k":"${KEY}` })
  await put('/keys/^a', { kek: OTHER_KEK, body: { k: KEY } })
  await get('/keys/^a/value', { kek: OTHER_KEK })
  await get(`/keys/${KEY}`)
  server.keepSecret('a private remark')
  const lines = server.log.map(line => JSON.parse(line) as Record<string, unknown>) // pino's
  t.match(lines.at(-1), { route: '/keystore/keys/:kids', path: undefined, status: 404, errorCode: 2 })
  t.match(lines.at(-5), { route: '/keystore/keys', status: 400, errorCode: 5 })
})

function keyIn({ body }: KeystoreAnswer): KeyObject {
  return JSON.parse(body) as KeyObject // what the tests check is in it
}

/** Status and code of an error, which must have SKM's form. */
function faultOf({ status, headers, body }: KeystoreAnswer): [number, number] {
  const { code, message, ...others } = JSON.parse(body) as { code: number; message: string } // checked here
  if (headers['content-type'] !== 'application/json' || typeof message !== 'string' || Object.keys(others).length > 0)
    throw new Error(`this is no error of the key storage: ${body}`)
  return [status, code]
}

/** `--encryption-key` as docs/keystore.md prints it. */
function documentedOption(): string {
  const [, option] = /--encryption-key='([^']+)'/.exec(readFileSync('docs/keystore.md', 'utf8')) ?? []
  return option ?? ''
}

/** What Bento4 asks for such an option: a list of keys, `@` before the place of one, and its fields behind `#`. */
function requestOfBento4(option: string) {
  const [key = '', ...others] = option.split(',')
  const [, url = '', fields = ''] = /^@skm:([^#]+)#(.*)$/.exec(key) ?? []
  if (others.length > 0 || url === '') throw new Error(`Bento4 does not take this as one key: ${option}`)
  const sent = Object.fromEntries(fields.split('&').map(field => field.split('=', 2)))
  // With the KEK among them it wraps a key by itself and unwraps the answer, at which releases for Python 3 fail.
  if ('kek' in sent) throw new Error('Bento4 is given the KEK')
  return { url, body: JSON.stringify(sent) }
}
