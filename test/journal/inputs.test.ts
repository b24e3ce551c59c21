import fc from 'fast-check'
import t from 'tap'
import { administratorOf } from '../administrator.js'
import { anyCharacter } from '../any-character.js'
import { repetitions } from '../counts.js'
import { startTestServer } from '../harness.js'

const MEMBERS = [
  'id',
  'number',
  'time',
  'ms',
  'method',
  'path',
  'route',
  'host',
  'customer',
  'environment',
  'drm',
  'status',
]
const OTHERS = [
  'parameters',
  'ignored',
  'assumed',
  'errorCode',
  'tokenId',
  'eventId',
  'event',
  'kid',
  'cookie',
  'error_code',
  'x',
]

t.test('generated searches get documented answers, and nothing breaks', async t => {
  const server = await startTestServer(t)
  const admin = administratorOf(server)
  await server.get({ cookie: 'viewer-1' })
  await server.get({ kid: 'short', 'kid.0': 'x', unknown: '(' })

  const text = fc.oneof(
    fc.constantFrom('GET', '/hms/pr/token', 'test', '', '…'),
    fc.string({ unit: anyCharacter, maxLength: 20 }),
  )
  const expression = fc.oneof(
    fc.constantFrom('token', '^/', '(', '(a+)+$', '[', '\\', '(?<=x)', 'a{1000000}', '.*', '\\p{L}'),
    fc.string({ maxLength: 10 }),
  )
  const wanted = fc.oneof(
    text,
    fc.constantFrom<unknown>(200, 400, 201722, -4020, 0, 1.5, -1, null, true, [], {}, '__proto__'),
    fc.record({ matches: expression, ignoreCase: fc.boolean() }, { requiredKeys: ['matches'] }),
    fc.record({ absent: fc.oneof(fc.boolean(), text) }),
    fc.dictionary(fc.constantFrom('cookie', 'kid', 'matches', 'absent', 'constructor'), text, { maxKeys: 2 }),
  )
  const pattern = fc.oneof(
    { weight: 8, arbitrary: fc.dictionary(fc.constantFrom(...MEMBERS, ...OTHERS), wanted, { maxKeys: 3 }) },
    { weight: 1, arbitrary: fc.jsonValue() },
  )
  const times = fc.oneof(
    fc.constantFrom<unknown>(undefined, 0, 1, -1, 1.5, 'x', {}, { atLeast: 2, atMost: 1 }, { atMost: 0 }, { least: 1 }),
    fc.record({ atLeast: fc.nat(3), atMost: fc.nat(3) }, { requiredKeys: [] }),
  )
  const expectation = fc.record(
    { pattern, times, withinMs: fc.constantFrom<unknown>(0, 1, 2, -1, 'x', 1e9) },
    { requiredKeys: [] },
  )
  const search = fc.tuple(
    fc.constant('POST'),
    fc
      .tuple(fc.constantFrom('requests', 'events'), fc.constantFrom('find', 'count'))
      .map(parts => `/${parts.join('/')}`),
    pattern,
  )
  const wait = fc.tuple(
    fc.constant('POST'),
    fc
      .tuple(fc.constantFrom('requests', 'events'), fc.constantFrom('verify', 'wait'))
      .map(parts => `/${parts.join('/')}`),
    expectation.map(one => ({ withinMs: 0, ...one })),
  )
  const list = fc.tuple(
    fc.constant('GET'),
    fc
      .dictionary(fc.constantFrom(...MEMBERS, ...OTHERS, 'limit', 'before'), fc.oneof(text, fc.nat(500).map(String)), {
        maxKeys: 2,
      })
      .map(query => `/requests?${new URLSearchParams(query)}`),
    fc.constant(undefined),
  )
  const one = fc.tuple(
    fc.constant('GET'),
    text.map(id => `/requests/${encodeURIComponent(id)}`),
    fc.constant(undefined),
  )

  const seen = new Map<number, number>()
  const property = fc.asyncProperty(fc.oneof(search, wait, list, one), async ([method, path, body]) => {
    const answer = await admin.ask(method, path, body)
    const { status } = answer
    seen.set(status, (seen.get(status) ?? 0) + 1)
    const { code, requestId }: { code?: number; requestId?: string } = JSON.parse(await answer.text())
    return status === 200 || ([400, 404, 406].includes(status) && code === status && requestId !== undefined)
  })
  await fc.assert(property, { numRuns: repetitions({ usual: 5000, long: 6000 }) })
  for (const status of [200, 400, 404, 406]) t.ok((seen.get(status) ?? 0) > 10, JSON.stringify([...seen]))
  t.equal((await server.requests.list()).length, 2, 'it still works')
})
