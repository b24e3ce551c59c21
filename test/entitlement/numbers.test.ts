import { readFileSync } from 'node:fs'
import t from 'tap'
import { documentedRefusals } from '../../src/errors/entitlement-refusal.js'

t.test('docs/entitlement.md lists every refusal with its number, status and text', async t => {
  const page = readFileSync('docs/entitlement.md', 'utf8')
  const rows = [...page.matchAll(/^\| `(\d{4})` \| (\d{3}) \| ([^|]+) \|/gm)].map(([, number, status, text]) => ({
    number: Number(number),
    status: Number(status),
    text,
  }))
  t.same(
    rows,
    documentedRefusals.map(({ number, status, text }) => ({ number, status, text })),
  )
})

t.test('no number is used twice, and none is one of HTTP', async t => {
  const numbers = documentedRefusals.map(({ number }) => number)
  t.equal(new Set(numbers).size, numbers.length)
  t.ok(numbers.every(number => number >= 1000))
})
