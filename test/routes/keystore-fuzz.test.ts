import fc from 'fast-check'
import t from 'tap'
import { anyCharacter } from '../any-character.js'
import { appWith } from '../app.js'
import { repetitions } from '../counts.js'
import { accounts } from '../harness.js'

const REQUESTS = repetitions({ usual: 2000, long: 5000 })
const KEK = '000102030405060708090a0b0c0d0e0f'
const EK = '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'
const KID = '4e2df6b45e8257e187b2802b22ae7418'
const authenticator = accounts[0]?.authenticators.test ?? ''

const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEFg'), maxLength: 50 })
const anyText = fc.oneof(
  fc.string({ unit: anyCharacter, maxLength: 70 }),
  fc.constantFrom('', '\u0000', '\ud800', '٣', '^'),
)

/** What is right, and now and then what may not be. */
function mostly<T>(right: fc.Arbitrary<T>, ...others: fc.Arbitrary<T>[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 20 * others.length, arbitrary: right }, ...others)
}

const kid = mostly(fc.constantFrom(KID, '^a', '^b', '^☃', '^7'), hex, anyText)
const text = mostly<unknown>(fc.constantFrom('x', null), anyText, fc.jsonValue())

const key = fc.record(
  {
    kid: mostly<unknown>(kid, fc.jsonValue()),
    k: mostly(fc.constant(KID), hex),
    ek: mostly<unknown>(fc.constant(EK), hex, fc.jsonValue()),
    kekId: text,
    info: text,
    contentId: text,
    expiration: mostly<unknown>(
      fc.constantFrom('2026-06-01T12:00:01Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59.999999999-23:59', null),
      fc.date({ noInvalidDate: true }).map(date => date.toISOString()),
      anyText,
    ),
    unknown: fc.jsonValue(),
  },
  { requiredKeys: [] },
)

const body = mostly(
  key.map(fields => JSON.stringify(fields)),
  fc.json(),
  anyText,
  fc.constant('{"__proto__":{}}'),
)

const path = mostly(
  fc.oneof(
    fc.constantFrom('/keys', '/keycount'),
    fc
      .tuple(fc.array(kid, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '/value'))
      .map(([kids, value]) => `/keys/${kids.map(one => encodeURIComponent(one.toWellFormed())).join()}${value}`),
  ),
  fc.string({ unit: fc.constantFrom(...'/keys^,;.%?#', '%00', '%ff', '%2F', '%2C'), maxLength: 30 }),
)

const query = fc
  .record({ customerAuthenticator: mostly(fc.constant(authenticator), anyText), kek: mostly(fc.constant(KEK), hex) })
  .chain(all => fc.subarray(Object.entries(all), { minLength: 1 }))
  .map(pairs => new URLSearchParams(pairs).toString())

t.test(`${REQUESTS} generated requests: an answer or an error of the key storage to each`, async t => {
  const { app } = await appWith(t, { settings: { LOG_LEVEL: 'silent' } })
  const seen = new Map<number, number>()

  const request = fc.record({
    method: mostly(fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'), fc.constantFrom('PATCH', 'HEAD')),
    path,
    query,
    body: fc.option(body),
    type: mostly(fc.constant('application/json'), fc.constantFrom('text/plain', ';')),
  })
  const property = fc.asyncProperty(request, async ({ method, path, query, body, type }) => {
    const hasBody = body !== null && method !== 'GET' && method !== 'HEAD'
    const {
      statusCode,
      headers,
      body: answer,
    } = await app.inject({
      method: method as 'GET', // any of them
      url: `/keystore${path}?${query}`,
      ...(hasBody ? { body, headers: { 'content-type': type } } : {}),
    })
    seen.set(statusCode, (seen.get(statusCode) ?? 0) + 1)
    if (statusCode >= 500) return false
    if (headers['content-type'] !== 'application/json' || method === 'HEAD') return true
    const { code } = JSON.parse(answer) as { code?: number } // checked here
    return statusCode < 400 ? code === undefined : [2, 3, 5, 404, 405, -2017, -2018].includes(code ?? 0)
  })
  await fc.assert(property, { numRuns: REQUESTS })

  for (const status of [200, 201, 400, 401, 404])
    t.ok((seen.get(status) ?? 0) > REQUESTS / 250, `${seen.get(status)} times ${status}`)
  const { body: list } = await app.inject(`/keystore/keys?customerAuthenticator=${authenticator}`)
  const { body: count } = await app.inject(`/keystore/keycount?customerAuthenticator=${authenticator}`)
  t.same(JSON.parse(count), { keyCount: (JSON.parse(list) as unknown[]).length })
})
