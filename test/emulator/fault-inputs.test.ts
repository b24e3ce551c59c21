import fc from 'fast-check'
import t from 'tap'
import { shownFaults } from '../../schemas/faults.js'
import { administratorOf, bodyOf, type Malformed, requireMalformed } from '../administrator.js'
import { anyCharacter } from '../any-character.js'
import { repetitions } from '../counts.js'
import { errorOf, form, startTestServer } from '../harness.js'

const secret = '0123456789abcdef0123456789abcdef'

t.test('every malformed rule is a 400 that names the field and repeats no value', async t => {
  const server = await startTestServer(t)
  const admin = administratorOf(server)
  const effect = { status: 503 }
  const rules: [rule: unknown, parameter: string | undefined][] = [
    [{}, 'effect'],
    [{ effect: {} }, 'effect'],
    [{ effect: secret }, 'effect'],
    [{ effect, efect: 1 }, 'efect'],
    [{ effect: { eror: 1 } }, 'effect.eror'],
    [{ effect: { status: 503, errorCode: -2019 } }, 'effect.status'],
    [{ effect: { status: 199 } }, 'effect.status'],
    [{ effect: { status: 600 } }, 'effect.status'],
    [{ effect: { status: '503' } }, 'effect.status'],
    [{ effect: { status: 204, body: 'x' } }, 'effect.body'],
    [{ effect: { status: 503, body: 'x'.repeat(16_385) } }, 'effect.body'],
    [{ effect: { status: 503, contentType: 'text/plain' } }, 'effect.contentType'],
    [{ effect: { status: 503, body: '', contentType: 'text/plain\r\nx: y' } }, 'effect.contentType'],
    [{ effect: { errorCode: -2019, retryAfter: 1 } }, 'effect.retryAfter'],
    [{ effect: { errorCode: 7 } }, 'effect.errorCode'],
    [{ effect: { errorCode: -2019.5 } }, 'effect.errorCode'],
    [{ match: { route: '/cmiapi/getrecord' }, effect: { errorCode: -2019 } }, 'effect.errorCode'],
    [{ match: { drm: 'widevine', route: '/hms/wv/token' }, effect: { errorCode: -5002 } }, 'effect.errorCode'],
    [{ match: { route: '/cmiapi/getrecord' }, effect: { token: 'expired' } }, 'effect.token'],
    [{ match: { route: '/healthz' }, effect: { database: 'down' } }, 'effect.database'],
    [{ match: { route: '/hms/pr/tokens' }, effect }, 'match.route'],
    [{ match: { route: '/admin/api/faults' }, effect }, 'match.route'],
    [{ match: { rout: '/hms/pr/token' }, effect }, 'match.rout'],
    [{ match: { method: 'get' }, effect }, 'match.method'],
    [{ match: { drm: 'PlayReady' }, effect }, 'match.drm'],
    [{ match: { customer: 0 }, effect }, 'match.customer'],
    [{ match: { environment: 'prod' }, effect }, 'match.environment'],
    [{ match: { cookie: 'x'.repeat(33) }, effect }, 'match.cookie'],
    [{ match: { kid: 7 }, effect }, 'match.kid'],
    [{ effect: { delayMs: -1 } }, 'effect.delayMs'],
    [{ effect: { delayMs: 600_001 } }, 'effect.delayMs'],
    [{ effect: { jitterMs: 1, status: 503 } }, 'effect.jitterMs'],
    [{ effect: { connection: 'broken' } }, 'effect.connection'],
    [{ effect: { database: 'gone' } }, 'effect.database'],
    [{ effect: { token: 'lost' } }, 'effect.token'],
    [{ effect: { lost: false } }, 'effect.lost'],
    [{ after: -1, effect }, 'after'],
    [{ times: 0, effect }, 'times'],
    [{ probability: 1.1, effect }, 'probability'],
    [{ seed: 2 ** 32, effect }, 'seed'],
    [{ id: '', effect }, 'id'],
    [{ id: '..', effect }, 'id'],
    [{ id: 'cookie', effect }, 'id'],
    [[], undefined],
  ]
  const cases: Malformed[] = [
    ...rules.map(([rule, parameter]): Malformed => ['POST', '/faults', rule, parameter]),
    ['PUT', '/faults', {}, undefined],
    ['PUT', '/faults', [{ effect }, { id: 'x', effect: {} }], '[1].effect'],
    ['PUT', '/faults', Array.from({ length: 1001 }, () => ({ effect })), undefined],
    [
      'PUT',
      '/faults',
      [
        { id: 'x', effect },
        { id: 'x', effect },
      ],
      '[1].id',
    ],
    ['DELETE', '/faults/..x', undefined, 'id'],
  ]
  await requireMalformed(t, admin, cases, [secret])
  t.same(await bodyOf(shownFaults, admin.get('/faults')), [], 'nothing has changed')
  t.match((await errorOf(await admin.post('/faults', { effect: { eror: 1 } }))).message, /eror/)
  t.match((await errorOf(await admin.post('/faults', { efect: 1 }))).message, /\(did you mean effect\?\)/)
  t.equal((await admin.ask('DELETE', '/faults/none')).status, 404)
  t.equal((await admin.post('/faults', { id: 'x', effect })).status, 201)
  t.equal((await admin.post('/faults', { id: 'x', effect })).status, 409)
  t.equal((await admin.ask('DELETE', '/faults/x')).status, 204)
  t.equal(
    (
      await admin.ask(
        'PUT',
        '/faults',
        Array.from({ length: 1000 }, () => ({ effect })),
      )
    ).status,
    200,
  )
  t.equal((await admin.post('/faults', { effect })).status, 409)
  t.equal((await admin.ask('DELETE', '/faults')).status, 204)
})

const words = [
  'errorCode',
  'status',
  'connection',
  'database',
  'token',
  'lost',
  'delayMs',
  'jitterMs',
  'body',
  'retryAfter',
]
const values = fc.oneof(
  fc.constantFrom<unknown>(
    -2019,
    -2030,
    -4010,
    503,
    204,
    1,
    0,
    true,
    null,
    'reset',
    'close',
    'garbage',
    'cut',
    'down',
    'expired',
  ),
  fc.string({ unit: anyCharacter, maxLength: 20 }),
  fc.integer({ min: -3, max: 5 }),
)
const effects = fc.oneof(
  { weight: 4, arbitrary: fc.dictionary(fc.constantFrom(...words), values, { minKeys: 1, maxKeys: 2 }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<object>(
      { errorCode: -2019 },
      { status: 503, body: 'x' },
      { connection: 'cut' },
      { connection: 'reset' },
      { database: 'down' },
      { token: 'corrupt' },
      { lost: true },
      { delayMs: 1 },
    ),
  },
  { weight: 1, arbitrary: fc.jsonValue() },
)
const rules = fc.record(
  {
    effect: effects,
    match: fc.dictionary(fc.constantFrom('route', 'drm', 'customer', 'kid', 'cookie', 'x'), values, { maxKeys: 1 }),
    after: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: values }),
    times: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: values }),
    probability: fc.oneof(fc.constantFrom(0, 0.5, 1), values),
    id: fc.oneof(fc.constantFrom('a', 'b'), fc.string({ unit: anyCharacter, maxLength: 8 })),
  },
  { requiredKeys: ['effect'] },
)
const asked = fc.oneof(
  fc.record({
    method: fc.constant('PUT'),
    path: fc.constant('/faults'),
    body: fc.oneof(fc.array(rules, { maxLength: 2 }), fc.jsonValue()),
  }),
  fc.record({ method: fc.constant('POST'), path: fc.constant('/faults'), body: rules }),
  fc.record({
    method: fc.constant('DELETE'),
    path: fc.oneof(
      fc.constantFrom('/faults/a', '/faults'),
      fc.string({ maxLength: 8 }).map(id => `/faults/${encodeURIComponent(id)}`),
    ),
    body: fc.constant(undefined),
  }),
)
const headerText = fc.oneof(
  fc.constantFrom('-2019', '503', 'reset', '1', '-2019, -2019', '1e3', '99999999999'),
  fc.string({ maxLength: 8 }).map(text => encodeURIComponent(text)),
)
const orders = fc.dictionary(
  fc.constantFrom('x-emulate-error', 'x-emulate-status', 'x-emulate-delay', 'x-emulate-connection'),
  headerText.filter(text => !/^\d{4,9}$/.test(text) && text !== 'hang' && text !== 'slow'),
  { maxKeys: 2 },
)
const cookies = fc.oneof(
  fc.constantFrom('', 'emulate:error=-2019', 'emulate:delay=1;status=503', 'emulate:', 'emulate:connection=cut'),
  fc.string({ unit: anyCharacter, maxLength: 20 }).map(text => `emulate:${text}`),
)

t.test('whatever is asked of rules, and ordered by requests, has a documented answer', async t => {
  const server = await startTestServer(t)
  const admin = administratorOf(server)
  const seen = new Map<string, number>()
  const count = (what: string) => void seen.set(what, (seen.get(what) ?? 0) + 1)
  const property = fc.asyncProperty(asked, orders, cookies, async ({ method, path, body }, headers, cookie) => {
    const answer = await admin.ask(method, path, body)
    count(`rules ${answer.status}`)
    if (!answer.ok && (await errorOf(answer)).code !== answer.status) return false
    if (answer.status >= 500) return false
    const token = await fetch(`${server.url}/hms/pr/token?${form({ cookie })}`, { headers })
      .then(async answer => ({
        status: answer.status,
        fault: answer.headers.get('x-emulated-fault'),
        text: await answer.text(),
      }))
      .catch(() => 'broken' as const)
    if (token === 'broken') {
      count('broken')
      return true
    }
    count(`token ${token.status}`)
    // A 500 of ours is not among the documented answers to a fault.
    if (token.status === 500 && token.fault === null) return false
    return token.status === 200 || token.fault !== null || token.status === 400
  })
  await fc.assert(property, { numRuns: repetitions({ usual: 1500, long: 6000 }) })
  for (const [what, least] of Object.entries({
    'rules 400': 100,
    'rules 200': 50,
    'rules 201': 20,
    'token 400': 50,
    'token 200': 20,
    broken: 20,
  }))
    t.ok((seen.get(what) ?? 0) > least, JSON.stringify([...seen]))
  server.faults.clear()
  t.equal((await server.get()).status, 200, 'it still works')
  t.notMatch(server.log.join('\n'), /"msg":"failed"/)
})
