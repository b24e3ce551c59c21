import { readFileSync } from 'node:fs'
import t from 'tap'
import { TOKEN_FAMILIES } from '../../src/drm/families.js'
import { documentedErrors, type ErrorCode } from '../../src/errors/error-catalogue.js'
import { refusalCases, refusalsFor } from '../../src/verify/cases.js'
import { differences } from '../../src/verify/differences.js'
import type { Refusal } from '../../src/verify/vectors.js'
import { appWith } from '../app.js'
import { isLong, repetitions } from '../counts.js'
import { answerOf, authenticators, startTestServer } from '../harness.js'

for (const family of TOKEN_FAMILIES) {
  const { known: refusals, missing } = refusalsFor(family, authenticators)

  t.test(`${family.title}: every refusal has its documented code, status and text, with GET and POST`, async t => {
    const server = await startTestServer(t)
    t.strictSame(missing, [])
    for (const { title, method, change, expected } of refusalCases(refusals)) {
      const response = await server.request(family, method, change)
      t.strictSame(differences(expected, await answerOf(response), family), [], `${title}, ${method}`)
    }
  })

  t.test(`${family.title}: of two faults in one request the first in the catalogue wins`, async t => {
    const { ask } = await appWith(t, { settings: { LOG_LEVEL: 'warn' } })
    const pairs = pairsOfFaults(refusals)
    for (const [one, other] of pairs) {
      const expected = rankOf(one.code) < rankOf(other.code) ? one : other
      const { code } = (await ask({ ...one.change, ...other.change }, {}, family)).json<{ code: number }>()
      if (code !== expected.code) t.fail(`${one.title}, ${other.title}: ${code}, not ${expected.code}`)
    }
    t.ok(pairs.length > repetitions({ usual: 90, long: 700 }), `${pairs.length} pairs were tried`)
  })

  t.test(`${family.title}: every code that its token requests can meet is among the refusals`, async t => {
    const { errors } = JSON.parse(readFileSync('docs/spec/errors.json', 'utf8')) as {
      errors: { code: number; drm: string[] }[] // the published table
    }
    const elsewhere = [-2030, -4001, -4010, -6002, -6004, -7008] // a failing store, and redemption
    const met = new Set(refusals.map(({ code }) => code))
    const documented = errors.filter(({ code, drm }) => drm.includes(family.drm) && !elsewhere.includes(code))
    const foreign = NOT_OF_EACH[family.name] ?? []
    for (const { code } of documented) t.equal(met.has(code as ErrorCode), !foreign.includes(code), `${code}`)
  })
}

/** What the table says of a DRM, and one kind of its tokens has no parameter for. */
const NOT_OF_EACH: Readonly<Record<string, readonly number[]>> = {
  ms3: [-2020, -2021, -5003, -2022, -2023, -2025],
  bb: [-2040, -2008, -2036, -2037],
}

/** Those that one request can have; usually one pair of each two codes. */
function pairsOfFaults(refusals: readonly Refusal[]): (readonly [Refusal, Refusal])[] {
  const combinable = refusals.filter(({ alone }) => alone !== true)
  const pairs = combinable.flatMap((one, index) =>
    combinable
      .slice(index + 1)
      .filter(other => one.code !== other.code && one.code !== -3004 && !haveParametersInCommon(one, other))
      .map(other => [one, other] as const),
  )
  const codes = ([one, other]: readonly [Refusal, Refusal]) => [one.code, other.code].sort().join()
  return isLong ? pairs : [...new Map(pairs.map(pair => [codes(pair), pair])).values()]
}

function haveParametersInCommon(one: Refusal, other: Refusal): boolean {
  const names = Object.keys(one.change).map(stem)
  return Object.keys(other.change).some(name => names.includes(stem(name)))
}

/** Numbered keys replace the bare one, and one name of the device id the other. */
function stem(name: string): string {
  return name.replace(/\.\d+$/, '').toLowerCase()
}

function rankOf(code: ErrorCode): number {
  return documentedErrors.get(code)?.rank ?? Number.NaN
}
