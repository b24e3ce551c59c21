import fc from 'fast-check'
import t from 'tap'
import { shownContent } from '../../schemas/contents.js'
import { administratorOf, type Malformed, requireMalformed } from '../administrator.js'
import { content, ID, KEK, policy, SECRETS, start } from '../contents.js'
import { CONTENT_KEY, errorOf } from '../harness.js'

t.test('every malformed input is a 400 that names the field and repeats no value', async t => {
  const server = await start(t, 'memory:')
  const admin = administratorOf(server)
  const [key] = content.keys
  const rental = { ...policy, rightsType: 'Rental', generalFlags: '00000001' }
  const cases: Malformed[] = [
    ['GET', '?limit=0', undefined, 'limit'],
    ['GET', '?limit=101', undefined, 'limit'],
    ['GET', '?limit=', undefined, 'limit'],
    ['GET', '?limit=1&limit=2', undefined, 'limit'],
    ['GET', '?after=x', undefined, 'after'],
    ['GET', '?after=', undefined, 'after'],
    ['GET', '?page=2', undefined, 'page'],
    ['GET', `?${CONTENT_KEY}=2`, undefined, '…'],
    ['GET', '/x', undefined, 'contentID'],
    ['GET', `/${CONTENT_KEY}`, undefined, 'contentID'],
    ['GET', `/${ID}%00`, undefined, 'contentID'],
    ['DELETE', '/x', undefined, 'contentID'],
    ['DELETE', `/{${ID}}`, undefined, 'contentID'],
    ['PUT', '/x', content, 'contentID'],
    ['PUT', `/${ID}`, { ...content, contentID: '3f2504e0-4f89-11d3-9a0c-0305e82c3302' }, 'contentID'],
    ['PUT', `/${ID}`, { ...content, contentID: CONTENT_KEY }, 'contentID'],
    ['PUT', `/${ID}`, { ...content, contentID: 7 }, 'contentID'],
    ['PUT', `/${ID}`, undefined, undefined],
    ['PUT', `/${ID}`, [content], undefined],
    ['PUT', `/${ID}`, 'null', undefined],
    ['PUT', `/${ID}`, `{"keys":[{"contentKey":"${CONTENT_KEY}`, undefined],
    ['PUT', `/${ID}`, {}, 'keys'],
    ['PUT', `/${ID}`, { ...content, keys: [] }, 'keys'],
    ['PUT', `/${ID}`, { ...content, keys: key }, 'keys'],
    ['PUT', `/${ID}`, { ...content, keys: [{ ...key, kid: undefined }] }, 'keys[0].kid'],
    ['PUT', `/${ID}`, { ...content, keys: [{ ...key, kid: CONTENT_KEY.slice(1) }] }, 'keys[0].kid'],
    ['PUT', `/${ID}`, { ...content, keys: [key, key] }, 'keys[1].kid'],
    ['PUT', `/${ID}`, { ...content, keys: [{ ...key, contentKey: `${CONTENT_KEY}0` }] }, 'keys[0].contentKey'],
    ['PUT', `/${ID}`, { ...content, keys: [{ ...key, kek: KEK }] }, 'keys[0].contentKey'],
    ['PUT', `/${ID}`, { ...content, keys: [{ kid: key?.kid }] }, 'keys[0].contentKey'],
    ['PUT', `/${ID}`, { ...content, keys: [{ kid: key?.kid, kek: KEK, ek: CONTENT_KEY }] }, 'keys[0].ek'],
    ['PUT', `/${ID}`, { ...content, keys: [{ ...key, algId: 'aes' }] }, 'keys[0].algId'],
    ['PUT', `/${ID}`, { ...content, keys: [{ ...key, [CONTENT_KEY]: 'key' }] }, 'keys[0].…'],
    ['PUT', `/${ID}`, { ...content, policy: undefined }, 'policy'],
    ['PUT', `/${ID}`, { ...content, policy: 'standard' }, 'policy'],
    ['PUT', `/${ID}`, { ...content, policy: { ...policy, rightsType: 'Lease' } }, 'policy.rightsType'],
    ['PUT', `/${ID}`, { ...content, policy: { ...policy, analogVideoOPL: 1000 } }, 'policy.analogVideoOPL'],
    ['PUT', `/${ID}`, { ...content, policy: { ...policy, contentKey: CONTENT_KEY } }, 'policy.contentKey'],
    ['PUT', `/${ID}`, { ...content, policy: rental }, 'policy.rental.periodEndTime'],
    ['PUT', `/${ID}`, { ...content, duration: 0 }, 'duration'],
    ['PUT', `/${ID}`, { ...content, duration: '3600' }, 'duration'],
    ['PUT', `/${ID}`, { ...content, duration: 2_592_001 }, 'duration'],
    ['PUT', `/${ID}`, { ...content, viewers: CONTENT_KEY }, 'viewers'],
    ['PUT', `/${ID}`, { ...content, viewers: ['x'.repeat(33)] }, 'viewers[0]'],
    ['PUT', `/${ID}`, { ...content, until: '2027-01-01' }, 'until'],
    ['PUT', `/${ID}`, { ...content, until: null }, 'until'],
    ['PUT', `/${ID}`, { ...content, devicesPerCookie: 0 }, 'devicesPerCookie'],
    ['PUT', `/${ID}`, { ...content, drm: 'clearkey' }, 'drm'],
    ['PUT', `/${ID}`, { ...content, drm: 'widevine' }, 'policy.rightsType'],
    ['PUT', `/${ID}`, { ...content, licences: [{ policy }] }, 'policy'],
    ['PUT', `/${ID}`, { ...content, policy: undefined, licences: [] }, 'licences'],
    ['PUT', `/${ID}`, { ...content, policy: undefined, licences: [{ policy }, { policy }] }, 'licences[1]'],
    ['PUT', `/${ID}`, { ...content, policy: undefined, licences: [{ policy: 'hd' }] }, 'licences[0].policy'],
    ['PUT', `/${ID}`, { ...content, policy: {}, drm: 'fairplay' }, 'keys[0].iv'],
    ['PUT', `/${ID}`, { ...content, policy: { wvExtension: [CONTENT_KEY] }, drm: 'widevine' }, 'policy.wvExtension'],
    ['PUT', `/${ID}`, { ...content, title: CONTENT_KEY }, 'title'],
    ['PUT', `/${ID}`, { ...content, readable: true }, 'readable'],
    ['PUT', `/${ID}`, JSON.stringify(content).replace('{', '{"__proto__":{"drm":"playready"},'), '__proto__'],
  ]
  const inContents = cases.map(([method, path, ...rest]): Malformed => [method, `/contents${path}`, ...rest])
  await requireMalformed(t, admin, inContents, SECRETS)
  t.strictSame(await (await admin.get('/contents')).json(), { contents: [], next: null }, 'nothing was put')
})

t.test('200 generated bodies: an answer of ours to each, and nothing of a refused one stays', async t => {
  const admin = administratorOf(await start(t, 'memory:'))
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(null, '', 'everyone', 2 ** 53, CONTENT_KEY, '+0', 'widevine', [{ drm: 'marlin', policy: {} }]),
  )
  const field = fc.constantFrom(
    ...[
      'contentID',
      'drm',
      'keys',
      'policy',
      'licences',
      'duration',
      'viewers',
      'until',
      'devicesPerCookie',
      '__proto__',
      '',
    ],
  )
  const change = fc.dictionary(field, value, { maxKeys: 2 })
  const body = fc.oneof(
    change.map(given => ({ ...content, ...given })),
    change.map(given => ({ ...content, policy: { ...policy, ...given } })),
    change.map(given => ({ ...content, keys: [{ ...content.keys[0], ...given }] })),
    fc.jsonValue(),
  )
  const seen = new Map<number, number>()
  const property = fc.asyncProperty(body, async given => {
    const answer = await admin.ask('PUT', `/contents/${ID}`, JSON.stringify(given))
    seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1)
    const answered: unknown = await answer.json()
    if (!answer.ok) return answer.status === 400 && (answered as { code: number }).code === 400 // ours, or it fails here
    const shown: unknown = await (await admin.get(`/contents/${ID}`)).json()
    return JSON.stringify(shown) === JSON.stringify(answered) && shownContent.parse(shown).readable
  })
  await fc.assert(property, { numRuns: 200 })
  for (const status of [200, 400]) t.ok((seen.get(status) ?? 0) > 10, JSON.stringify([...seen]))
})

t.test('what HTTP itself refuses is told in JSON, too', async t => {
  const admin = administratorOf(await start(t, 'memory:', { BODY_LIMIT: '1024' }))
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const cases: [answer: Response, status: number, message: RegExp][] = [
    [await admin.ask('PUT', `/contents/${ID}`, 'duration=3600', form), 415, /must be application\/json/],
    [await admin.ask('PUT', `/contents/${ID}`, { ...content, viewers: Array(100).fill('viewer-4711') }), 413, /large/],
    [await admin.ask('POST', '/contents', content), 405, /allowed are GET, HEAD$/],
    [await admin.ask('PATCH', `/contents/${ID}`, content), 405, /allowed are GET, HEAD, PUT, DELETE/],
    [await admin.get(`/contents/${ID}/keys`), 404, /Not found/],
  ]
  for (const [answer, status, message] of cases) {
    t.equal(answer.status, status)
    t.match(await errorOf(answer), { code: status, message })
  }
  await admin.ask('PUT', `/contents/${ID}`, content)
  const typed = { 'content-type': 'application/json' }
  t.equal((await admin.ask('DELETE', `/contents/${ID}`, undefined, typed)).status, 204, 'a content type does no harm')
})
