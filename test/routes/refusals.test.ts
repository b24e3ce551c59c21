import t from 'tap'
import type { ErrorCode } from '../../src/errors/catalogue.js'
import { documentedErrors } from '../../src/errors/catalogue.js'
import { refusalCases, refusalsFor } from '../../src/verify/cases.js'
import { differences } from '../../src/verify/differences.js'
import type { Refusal } from '../../src/verify/vectors.js'
import { appWith } from '../app.js'
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
  let pairs = 0
  for (const [index, one] of refusals.entries()) {
    for (const other of refusals.slice(index + 1)) {
      if (one.code === other.code || one.code === -3004 || haveParametersInCommon(one, other)) continue
      const expected = rankOf(one.code) < rankOf(other.code) ? one : other
      const { code } = (await ask({ ...one.change, ...other.change })).json<{ code: number }>()
      pairs += 1
      if (code !== expected.code) t.fail(`${one.title}, ${other.title}: ${code}, not ${expected.code}`)
    }
  }
  t.ok(pairs > 1500, `${pairs} pairs were tried`)
})

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
