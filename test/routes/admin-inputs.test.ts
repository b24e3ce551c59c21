import fc from 'fast-check'
import t from 'tap'
import { shownAccount } from '../../schemas/admin.js'
import { administratorOf, bodyOf, type Malformed, requireMalformed } from '../administrator.js'
import { anyCharacter } from '../any-character.js'
import { errorOf, startTestServer } from '../harness.js'

const secret = '0123456789abcdef0123456789abcdef'

t.test('every malformed input is a 400 that names the field and repeats no value', async t => {
  const server = await startTestServer(t)
  const admin = administratorOf(server)
  const balance = { environment: 'test', add: 1 }
  const cases: Malformed[] = [
    ['GET', '/accounts?after=x', undefined, 'after'],
    ['GET', '/accounts?after=-1', undefined, 'after'],
    ['GET', '/accounts?after=4294967296', undefined, 'after'],
    ['GET', '/accounts?limit=0', undefined, 'limit'],
    ['GET', '/accounts?limit=1001', undefined, 'limit'],
    ['GET', '/accounts?limit=', undefined, 'limit'],
    ['GET', '/accounts?limit=1&limit=2', undefined, 'limit'],
    ['GET', '/accounts?page=2', undefined, 'page'],
    ['GET', `/accounts?${secret}=2`, undefined, '…'],
    ['GET', '/accounts/x', undefined, 'id'],
    ['GET', '/accounts/0', undefined, 'id'],
    ['GET', '/accounts/4294967296', undefined, 'id'],
    ['PATCH', '/accounts/2.5', { enabled: true }, 'id'],
    ['POST', '/accounts', { id: 0 }, 'id'],
    ['POST', '/accounts', { id: '77' }, 'id'],
    ['POST', '/accounts', { id: 1.5 }, 'id'],
    ['POST', '/accounts', { id: 4294967296 }, 'id'],
    ['POST', '/accounts', { name: 7 }, 'name'],
    ['POST', '/accounts', { name: 'x'.repeat(201) }, 'name'],
    ['POST', '/accounts', { name: 'a\u0000b' }, 'name'],
    ['POST', '/accounts', '{"name":"\\ud800"}', 'name'],
    ['POST', '/accounts', { balance: -1 }, 'balance'],
    ['POST', '/accounts', { maxRedemptions: 0 }, 'maxRedemptions'],
    ['PATCH', '/accounts/2', { maxRedemptions: 1.5 }, 'maxRedemptions'],
    ['PATCH', '/accounts/2', { maxRedemptions: '3' }, 'maxRedemptions'],
    ['POST', '/accounts', { charge: 'never' }, 'charge'],
    ['PATCH', '/accounts/2', { charge: null }, 'charge'],
    ['POST', '/accounts', { tokenStyle: 2015 }, 'tokenStyle'],
    ['PATCH', '/accounts/2', { tokenStyle: '2016' }, 'tokenStyle'],
    ['POST', '/accounts', { strictParameters: 'yes' }, 'strictParameters'],
    ['PATCH', '/accounts/2', { strictParameters: 1 }, 'strictParameters'],
    ['POST', '/accounts', { balance: 2 ** 53 }, 'balance'],
    ['POST', '/accounts', '{"balance":1e999}', 'balance'],
    ['POST', '/accounts', { enabled: 'yes' }, 'enabled'],
    ['POST', '/accounts', { drm: { playready: 1 } }, 'drm.playready'],
    ['POST', '/accounts', { drm: { clearkey: true } }, 'drm.clearkey'],
    ['POST', '/accounts', { authenticators: { test: `77,${secret}` } }, 'id'],
    ['POST', '/accounts', { id: 78, authenticators: { test: `77,${secret}` } }, 'authenticators.test'],
    ['POST', '/accounts', { id: 78, authenticators: { test: secret } }, 'authenticators.test'],
    ['POST', '/accounts', { id: 78, authenticators: { [secret]: 'test' } }, 'authenticators.…'],
    ['POST', '/accounts', { balanse: 1 }, 'balanse'],
    ['POST', '/accounts', '{"__proto__":{"id":77}}', '__proto__'],
    ['POST', '/accounts', [], undefined],
    ['POST', '/accounts', 'null', undefined],
    ['POST', '/accounts', `{"authenticators":{"test":"77,${secret}`, undefined],
    ['POST', '/accounts', '', undefined],
    ['PATCH', '/accounts/2', {}, undefined],
    ['PATCH', '/accounts/2', { id: 3 }, 'id'],
    ['PATCH', '/accounts/2', { balance: 3 }, 'balance'],
    ['PATCH', '/accounts/2', { name: null }, 'name'],
    ['PATCH', '/accounts/2', { enabled: 0 }, 'enabled'],
    ['PATCH', '/accounts/2', { drm: {} }, 'drm'],
    ['POST', '/accounts/2/balance', { add: 1 }, 'environment'],
    ['POST', '/accounts/2/balance', { ...balance, environment: 'staging' }, 'environment'],
    ['POST', '/accounts/2/balance', { ...balance, set: 1 }, 'add'],
    ['POST', '/accounts/2/balance', { environment: 'test' }, 'add'],
    ['POST', '/accounts/2/balance', { ...balance, add: 0.5 }, 'add'],
    ['POST', '/accounts/2/balance', { ...balance, add: '1' }, 'add'],
    ['POST', '/accounts/2/balance', { environment: 'test', set: -1 }, 'set'],
    ['POST', '/accounts/2/balance', { ...balance, service: 'test' }, 'service'],
    ['POST', '/accounts/2/authenticators', {}, 'environment'],
    ['POST', '/accounts/2/authenticators', { environment: 'test', authenticator: secret }, 'authenticator'],
    ['POST', '/accounts/2/authenticators', { environment: 'test', authenticator: `3,${secret}` }, 'authenticator'],
    ['POST', '/accounts/2/authenticators', { environment: 'test', authenticator: `02,${secret}` }, 'authenticator'],
    ['POST', '/accounts/2/authenticators', { environment: 'test', validForSeconds: -1 }, 'validForSeconds'],
    ['POST', '/accounts/2/authenticators', { environment: 'test', validForSeconds: 31_536_001 }, 'validForSeconds'],
    ['POST', '/accounts', { id: 78, authenticators: { test: [`78,${secret}`] } }, 'authenticators.test'],
    ['POST', '/accounts/2/authenticators/test', {}, 'name'],
    ['POST', '/accounts/2/authenticators/staging', { name: 'a' }, 'environment'],
    ['POST', '/accounts/2/authenticators/test', { name: '' }, 'name'],
    ['POST', '/accounts/2/authenticators/test', { name: 'a/b' }, 'name'],
    ['POST', '/accounts/2/authenticators/test', { name: '..' }, 'name'],
    ['POST', '/accounts/2/authenticators/test', { name: 'x'.repeat(65) }, 'name'],
    ['POST', '/accounts/2/authenticators/test', { name: 'unnamed-0123456789ab' }, 'name'],
    ['POST', '/accounts/2/authenticators/test', { name: `2,${secret}` }, 'name'],
    ['POST', '/accounts/2/authenticators/test', { name: 'a', authenticator: `3,${secret}` }, 'authenticator'],
    ['POST', '/accounts/2/authenticators/test', { name: 'a', validUntil: '2027-02-30T00:00:00Z' }, 'validUntil'],
    ['POST', '/accounts/2/authenticators/test', { name: 'a', validUntil: '2027-01-01' }, 'validUntil'],
    ['POST', '/accounts/2/authenticators/test', { name: 'a', validUntil: 1 }, 'validUntil'],
    ['POST', '/accounts/2/authenticators/test', { name: 'a', environment: 'test' }, 'environment'],
    ['DELETE', '/accounts/x/authenticators/test/a', undefined, 'id'],
    ['DELETE', '/accounts/2/authenticators/staging/a', undefined, 'environment'],
  ]
  await requireMalformed(t, admin, cases, [secret])
  t.match(await bodyOf(shownAccount, admin.get('/accounts/2')), {
    name: '',
    services: { test: { balance: 1_000_000 } },
  })
  t.notMatch(server.log.join(), secret)
})

t.test('what HTTP itself refuses is told in JSON, too', async t => {
  const admin = administratorOf(await startTestServer(t, { settings: { BODY_LIMIT: 1024 } }))
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const text = { 'content-type': 'text/plain' }
  const cases: [answer: Response, status: number, message: RegExp][] = [
    [await admin.ask('POST', '/accounts', 'name=a', form), 415, /must be application\/json/],
    [await admin.ask('POST', '/accounts', '{}', text), 415, /must be application\/json/],
    [await admin.post('/accounts', { name: 'x'.repeat(2000) }), 413, /too large/],
    [await admin.get('/nothing'), 404, /Not found/],
    [await admin.get(''), 404, /Not found/],
    [await admin.ask('PUT', '/accounts/2', {}), 405, /allowed are GET, HEAD, PATCH, DELETE/],
    [await admin.ask('PUT', '/accounts?errorFormat=html', {}), 405, /allowed are GET, HEAD, POST/],
  ]
  for (const [answer, status, message] of cases) {
    t.equal(answer.status, status)
    t.equal(answer.headers.get('content-type'), 'application/json')
    t.match(await errorOf(answer), { code: status, message })
  }
  const typed = { 'content-type': 'application/json; charset=utf-8' }
  t.equal((await admin.ask('POST', '/accounts', '{}', typed)).status, 201, 'a charset does no harm')
})

t.test('2000 generated requests: an answer of ours to each, and nothing breaks', async t => {
  const admin = administratorOf(await startTestServer(t))
  const field = fc.constantFrom(
    ...['id', 'name', 'authenticators', 'test', 'production', 'balance', 'enabled', 'drm', 'playready'],
    ...[
      'environment',
      'add',
      'set',
      'authenticator',
      'validForSeconds',
      'validUntil',
      'charge',
      '__proto__',
      'constructor',
      '',
    ],
  )
  const value = fc.oneof(
    fc.constantFrom<unknown>('test', 'production', true, false, null, 0, 1, -1, 77, 2 ** 53, `77,${secret}`),
    fc.integer(),
    fc.double(),
    fc.string({ unit: anyCharacter }),
  )
  const nested = fc.dictionary(field, value, { maxKeys: 3 })
  const body = fc.oneof(
    { weight: 8, arbitrary: fc.dictionary(field, fc.oneof(value, nested), { maxKeys: 5 }) },
    { weight: 1, arbitrary: fc.jsonValue() },
    { weight: 1, arbitrary: fc.string() },
  )
  const id = fc.oneof(fc.constantFrom('2', '77', '201722'), fc.string({ maxLength: 12 }).map(encodeURIComponent))
  const request = fc.oneof(
    fc.tuple(fc.constant('POST'), fc.constant('/accounts'), body),
    fc.tuple(
      fc.constant('PATCH'),
      id.map(id => `/accounts/${id}`),
      body,
    ),
    fc.tuple(
      fc.constant('POST'),
      id.map(id => `/accounts/${id}/balance`),
      body,
    ),
    fc.tuple(
      fc.constant('POST'),
      id.map(id => `/accounts/${id}/authenticators`),
      body,
    ),
    fc.tuple(
      fc.constantFrom('POST', 'DELETE'),
      fc.tuple(id, field).map(([id, name]) => `/accounts/${id}/authenticators/test/${encodeURIComponent(name)}`),
      fc.constant(undefined),
    ),
    fc.tuple(
      fc.constant('POST'),
      id.map(id => `/accounts/${id}/authenticators/test`),
      body,
    ),
    fc.tuple(
      fc.constant('GET'),
      nested.map(query => `/accounts?${new URLSearchParams(texts(query))}`),
      fc.constant(undefined),
    ),
  )
  const seen = new Map<number, number>()
  const property = fc.asyncProperty(request, async ([method, path, body]) => {
    const answer = await admin.ask(method, path, body)
    seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1)
    const answered: unknown = await answer.json()
    const code = answer.ok ? 'none' : (answered as { code: number }).code // ours, or it fails here
    return answer.status < 500 && (answer.ok || code === answer.status)
  })
  await fc.assert(property, { numRuns: 2000 })
  t.ok((seen.get(400) ?? 0) > 500, JSON.stringify([...seen]))
  t.ok((seen.get(201) ?? 0) > 10)
  t.equal((await admin.get('/accounts/2')).status, 200, 'it still works')
})

function texts(query: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]))
}
