import { readFileSync } from 'node:fs'
import t from 'tap'
import { type Change, errorOf, startTestServer } from '../harness.js'

interface Documented {
  readonly code: number
  readonly message: string
  readonly status: number
}

interface Refusal {
  readonly title: string
  readonly code: number
  readonly parameter?: string
  readonly change: Change
}

const documented = vector<{ errors: Documented[] }>('errors.json').errors
const { refusals } = vector<{ refusals: Refusal[] }>('refusals.json')

t.test('every refusal has its documented code, status and text, with GET and with POST', async t => {
  const server = await startTestServer(t)
  for (const { title, code, parameter, change } of refusals) {
    const { status, message } = entryOf(code)
    for (const method of ['get', 'post'] as const) {
      const response = await server[method](change)
      t.equal(response.status, status, `${title}: status with ${method}`)
      t.ok(response.headers.get('x-request-id'), `${title}: request id`)
      t.equal(response.headers.get('cache-control'), 'no-store')
      if (code === -3004) {
        t.match(await response.text(), /-3004.*Invalid error format specified/s, `${title}: in HTML`)
        continue
      }
      t.equal(response.headers.get('content-type'), 'application/json')
      const error = await errorOf(response)
      t.equal(error.errorCode, code, `${title}: code with ${method}`)
      t.ok(error.errorMessage.startsWith(message.replace(/<.*/, '')), `${title}: text "${error.errorMessage}"`)
      t.equal(error.requestId, response.headers.get('x-request-id'))
      if (parameter !== undefined) t.equal(error.parameter, parameter, `${title}: parameter`)
    }
  }
})

t.test('of two faults in one request the first in the catalogue wins', async t => {
  const server = await startTestServer(t)
  let pairs = 0
  for (const [index, one] of refusals.entries()) {
    for (const other of refusals.slice(index + 1)) {
      if (one.code === other.code || one.code === -3004 || haveParametersInCommon(one, other)) continue
      const expected = rankOf(one.code) < rankOf(other.code) ? one : other
      const { errorCode } = await errorOf(await server.get({ ...one.change, ...other.change }))
      pairs += 1
      if (errorCode !== expected.code) t.fail(`${one.title}, ${other.title}: ${errorCode}, not ${expected.code}`)
    }
  }
  t.ok(pairs > 1500, `${pairs} pairs were tried`)
})

t.test('every code that a token request can meet is among the refusals', async t => {
  const met = new Set(refusals.map(({ code }) => code))
  const elsewhere = [-2030, -4001, -4010] // a failing store, and redemption
  for (const { code } of documented) t.equal(met.has(code), !elsewhere.includes(code), `${code}`)
})

function haveParametersInCommon(one: Refusal, other: Refusal): boolean {
  const names = Object.keys(one.change).map(stem)
  return Object.keys(other.change).some(name => names.includes(stem(name)))
}

/** Numbered keys replace the bare one, and one name of the device id the other. */
function stem(name: string): string {
  return name.replace(/\.\d+$/, '').toLowerCase()
}

function entryOf(code: number): Documented {
  const entry = documented.find(error => error.code === code)
  if (entry === undefined) throw new Error(`${code} is not documented`)
  return entry
}

function rankOf(code: number): number {
  return documented.findIndex(error => error.code === code)
}

function vector<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8')) as T // ours, and checked here
}
