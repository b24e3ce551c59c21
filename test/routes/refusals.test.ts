import t from 'tap'
import { documentedErrors, type ErrorCode } from '../../src/errors/error-catalogue.js'
import { refusalCases, refusalsFor } from '../../src/verify/cases.js'
import { differences } from '../../src/verify/differences.js'
import type { Refusal } from '../../src/verify/vectors.js'
import { appWith } from '../app.js'
import { isLong, repetitions } from '../counts.js'
import { answerOf, authenticators, startTestServer } from '../harness.js'

const { known: refusals, missing } = refusalsFor(authenticators)

t.test('every refusal has its documented code, status and text, with GET and with POST', async t => {
  const server = await startTestServer(t)
  t.strictSame(missing, [])
  for (const { title, method, change, expected } of refusalCases(refusals)) {
    const response = await server[method](change)
    t.strictSame(differences(expected, await answerOf(response)), [], `${title}, ${method}`)
  }
})

t.test('of two faults in one request the first in the catalogue wins', async t => {
  const { ask } = await appWith(t, { settings: { LOG_LEVEL: 'warn' } })
  const pairs = pairsOfFaults()
  for (const [one, other] of pairs) {
    const expected = rankOf(one.code) < rankOf(other.code) ? one : other
    const { code } = (await ask({ ...one.change, ...other.change })).json<{ code: number }>()
    if (code !== expected.code) t.fail(`${one.title}, ${other.title}: ${code}, not ${expected.code}`)
  }
  t.ok(pairs.length > repetitions({ usual: 200, long: 1500 }), `${pairs.length} pairs were tried`)
})

/** Those that one request can have; usually one pair of each two codes. */
function pairsOfFaults(): (readonly [Refusal, Refusal])[] {
  const pairs = refusals.flatMap((one, index) =>
    refusals
      .slice(index + 1)
      .filter(other => one.code !== other.code && one.code !== -3004 && !haveParametersInCommon(one, other))
      .map(other => [one, other] as const),
  )
  const codes = ([one, other]: readonly [Refusal, Refusal]) => [one.code, other.code].sort().join()
  return isLong ? pairs : [...new Map(pairs.map(pair => [codes(pair), pair])).values()]
}

t.test('every code that a token request can meet is among the refusals', async t => {
  const met = new Set(refusals.map(({ code }) => code))
  const elsewhere = [-2030, -4001, -4010] // a failing store, and redemption
  for (const code of documentedErrors.keys()) t.equal(met.has(code), !elsewhere.includes(code), `${code}`)
})

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
