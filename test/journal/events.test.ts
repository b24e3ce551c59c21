import t from 'tap'
import { foundEvents } from '../../schemas/journal.js'
import { administratorOf, bodyOf } from '../administrator.js'
import { onBothEngines } from '../engines.js'
import { NOON, startTestServer } from '../harness.js'

const OF_5 = { customerAuthenticator: '5,00000000000000000000000000000005' }

onBothEngines(t, 'the transaction log can be searched, verified and waited for', async (t, database) => {
  const DATABASE_URL = await database()
  let now = NOON
  const server = await startTestServer(t, { settings: { DATABASE_URL }, now: () => now })
  const admin = administratorOf(server)
  await server.get({ cookie: 'viewer-1' })
  now += 1000
  await server.get({ ...OF_5, cookie: 'viewer-2' })
  now += 1000
  await server.get({ kid: 'short' })

  const { events } = await bodyOf(foundEvents, admin.post('/events/find', {}))
  t.match(
    events,
    [
      { event: 'token_refused', customer: 201722, environment: 'test', event_id: 2, error_code: -4020 },
      { event: 'token_issued', customer: 5, event_id: 1, cookie: 'viewer-2' },
      { event: 'token_issued', customer: 201722, event_id: 1, cookie: 'viewer-1' },
    ],
    'of all customers, the newest first',
  )
  t.same(await server.events.find({ customer: 5 }), events.slice(1, 2))
  t.equal(await server.events.count({ event: /^token_/, environment: 'test' }), 3)
  t.equal(await server.events.count({ environment: 'production' }), 0)
  t.equal(await server.events.count({ kid: String(events[2]?.kid[0]) }), 2)
  t.equal(await server.events.count({ token_id: { absent: true }, customer: 201722 }), 1)
  t.equal(
    (await bodyOf(foundEvents, admin.post('/events/find?limit=1', { event: 'token_issued' }))).events[0]?.customer,
    5,
  )

  const unmet = await admin.post('/events/verify', { pattern: { customer: 5, event: 'token_refused' } })
  t.equal(unmet.status, 406)
  t.match(await unmet.json(), {
    count: 0,
    nearest: [{ event: { customer: 5 }, differs: [{ member: 'event', wanted: 'token_refused', was: 'token_issued' }] }],
  })
  const waiting = server.events.wait({ customer: 5, cookie: 'late' }, { withinMs: 60_000 })
  const all = server.events.wait({ cookie: 'late' }, { withinMs: 60_000, times: 2 })
  await server.get({ ...OF_5, cookie: 'late' })
  t.match(await waiting, { count: 1, matches: [{ cookie: 'late' }] })
  await server.get({ cookie: 'late' })
  t.match(await all, { count: 2 })

  const again = server.events.wait({ cookie: 'late' }, { withinMs: 60_000, times: 3 })
  await server.get({ cookie: 'late' })
  t.match(await again, { count: 3 })

  const many = Array.from({ length: 40 }, (_, index) => `many-${index}`)
  const everything = server.events.wait({ cookie: /^many-/ }, { withinMs: 60_000, times: many.length })
  await Promise.all(many.map(cookie => server.get({ cookie })))
  t.match(await everything, { count: many.length })
})

t.test('events of another instance count when the time is over', async t => {
  const { startPostgres } = await import('../postgres.js')
  const DATABASE_URL = await (await startPostgres(t)).newDatabase()
  const settings = { DATABASE_URL }
  const [one, other] = [await startTestServer(t, { settings }), await startTestServer(t, { settings })]
  await one.get({ cookie: 'own' })
  const expected = one.events.verify({ cookie: /./ }, { times: { atLeast: 2, atMost: 2 }, withinMs: 500 })
  await other.get({ cookie: 'another' })
  t.match(await expected, { count: 2 })
})
