import fc from 'fast-check'
import t from 'tap'
import { tokenParameters } from '../../routes/token-operation.js'
import { TOKEN_FAMILIES } from '../../src/drm/families.js'
import type { TokenFamily } from '../../src/drm/family.js'
import { documentedErrors, type ErrorCode } from '../../src/errors/error-catalogue.js'
import { sampleParameters, sampleRequest } from '../../src/sample.js'
import { outcomeOf } from '../../src/verify/answer-outcome.js'
import { anyCharacter } from '../any-character.js'
import { appWith } from '../app.js'
import { repetitions } from '../counts.js'

const REQUESTS = repetitions({ usual: 2000, long: 20_000 })
/** What no answer may contain as it is: the beginning of an element that the sender made. */
const MARK = '<script>"\'&'

const nameOf = (names: readonly string[]) =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...names) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom(...names), fc.integer({ min: 0, max: 20 }))
        .map(([stem, n]) => `${stem}.${n}`),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '__proto__',
        'constructor',
        'toString',
        'hasOwnProperty',
        'kid.__proto__',
        'kid.-1',
        'kid.99999999999',
        '',
        '.',
        MARK,
      ),
    },
    { weight: 1, arbitrary: fc.string({ unit: anyCharacter, maxLength: 60 }) },
  )

const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...Object.values(sampleParameters), 'wudo,AAAAAA==', 'urn:marlin:kid:00') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '',
      '0',
      '-1',
      '1e9',
      '999',
      'true',
      '+60',
      ' 60',
      'Rental',
      '00000001',
      '^a',
      '^',
      MARK,
      '{}',
      'null',
      '\u0000',
    ),
  },
  { weight: 2, arbitrary: fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEFg'), maxLength: 64 }) },
  { weight: 2, arbitrary: fc.string({ unit: anyCharacter, maxLength: 80 }).map(text => text + MARK) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('9'.repeat(5000), 'a'.repeat(6000), '٣', '2026-06-02T00:00:00Z', '9999-12-31T23:59:59Z'),
  },
)

/** Bytes as they are, percent signs that mean nothing included. */
const rawText = fc.string({
  unit: fc.constantFrom(...'abc=&%+.;[]#\\^"0123456789', '%00', '%ff', '%zz', '%E2%98'),
  maxLength: 200,
})

const queryOf = (family: TokenFamily) => {
  const name = nameOf([...Object.keys(tokenParameters(family)), 'deviceid'])
  const sample = { ...sampleRequest(family) }
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(fc.boolean(), fc.array(fc.tuple(name, value), { maxLength: 12 }))
        .map(([fromSample, pairs]) => {
          const parameters = new URLSearchParams(fromSample ? sample : {})
          for (const [key, one] of pairs) {
            if (fromSample && key.length % 2 === 0) parameters.delete(key)
            parameters.append(key, one)
          }
          return parameters.toString()
        }),
    },
    { weight: 1, arbitrary: rawText },
  )
}

const contentType = fc.oneof(
  { weight: 8, arbitrary: fc.constant('application/x-www-form-urlencoded') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'application/json',
      'text/plain',
      'multipart/form-data',
      '',
      'a',
      ';;;',
      'application/x-www-form-urlencoded; charset=x',
    ),
  },
)

for (const family of TOKEN_FAMILIES)
  t.test(
    `${family.title}, ${REQUESTS} generated requests: a documented answer to each, and nothing echoed unescaped`,
    async t => {
      const { app } = await appWith(t, { settings: { LOG_LEVEL: 'silent' } })
      const query = queryOf(family)
      const seen = new Map<number, number>()

      const property = fc.asyncProperty(query, fc.option(query), contentType, async (inQuery, inBody, type) => {
        const url = `${family.tokenPath}?${inQuery}`
        const answer = await app.inject(
          inBody === null ? { url } : { method: 'POST', url, body: inBody, headers: { 'content-type': type } },
        )
        const { statusCode, body, headers } = answer
        seen.set(statusCode, (seen.get(statusCode) ?? 0) + 1)
        if (statusCode === 200)
          return outcomeOf({ status: 200, headers: new Headers(), body }, family).kind === 'a token'
        if (statusCode >= 500 || !headers['x-request-id']) return false
        const code = codeOf(body, String(headers['content-type']))
        const isDocumented = documentedErrors.get(code as ErrorCode)?.status === statusCode || code === statusCode
        return isDocumented && (headers['content-type'] === 'application/json' || !body.includes(MARK.slice(0, 8)))
      })
      await fc.assert(property, { numRuns: REQUESTS })

      t.ok((seen.get(200) ?? 0) > REQUESTS / 200, `among them ${seen.get(200)} tokens`)
      t.ok((seen.get(400) ?? 0) > REQUESTS / 20, `and ${seen.get(400)} bad arguments`)
      t.equal(
        (await app.inject(`${family.tokenPath}?${new URLSearchParams({ ...sampleRequest(family) })}`)).statusCode,
        200,
        'it still works',
      )
    },
  )

function codeOf(body: string, contentType: string): number {
  if (contentType !== 'application/json') return Number(/<title>Error (-?\d+)<\/title>/.exec(body)?.[1])
  const { code } = JSON.parse(body) as { code: number } // NaN or undefined fails the caller's check
  return code
}
