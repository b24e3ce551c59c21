import fc from 'fast-check'
import t from 'tap'
import { appWith } from '../app.js'
import { form } from '../harness.js'

t.test('a key is 1 to 200 visible ASCII characters, bare or as a quoted string', async t => {
  const { app } = await appWith(t)
  const ask = (key: string) => app.inject({ url: `/hms/pr/token?${form()}`, headers: { 'idempotency-key': key } })
  const tokenOf = async (key: string) => (await ask(key)).json<{ token?: string }>().token

  const same = await tokenOf('8e03978e-40d5-43dd-bc93-6894a57f9324')
  t.match(same, /^[\w-]{222}$/)
  t.equal(await tokenOf('"8e03978e-40d5-43dd-bc93-6894a57f9324"'), same, 'the quotes are none of it')
  t.not(await tokenOf('8E03978E-40D5-43DD-BC93-6894A57F9324'), same)
  t.equal(await tokenOf('"a\\"b\\\\c"'), await tokenOf('a"b\\c'))
  t.match(await tokenOf(`"${'x'.repeat(200)}"`), String)

  const wrong = [
    '',
    ' ',
    'a b',
    'given, twice',
    '"',
    '""',
    '"a',
    'a\tb',
    'ä',
    '"a\\b"',
    '"a"b"',
    'x'.repeat(201),
    `"${'x'.repeat(201)}"`,
  ]
  for (const key of wrong) {
    const answer = await ask(key)
    t.match(answer.json(), { code: 400, parameter: 'Idempotency-Key' }, JSON.stringify(key))
    t.equal(answer.statusCode, 400)
  }

  const character = fc.oneof(
    fc.constantFrom('"', '\\', ',', ';', '=', ' ', '\t', '\0', '\x7f', 'é', '\ud800', '€'),
    fc.integer({ min: 0x21, max: 0x7e }).map(code => String.fromCharCode(code)),
  )
  const anything = fc.array(character, { maxLength: 30 }).map(characters => characters.join(''))
  await fc.assert(
    fc.asyncProperty(anything, async key => {
      const first = await ask(key)
      const second = await ask(key)
      const isKey = /^[\x21-\x7e]+$/.test(key) && !key.startsWith('"')
      if (isKey || first.statusCode !== 400) {
        t.equal(first.statusCode, 200)
        t.equal(second.headers['idempotency-replayed'], 'true')
        t.equal(second.body, first.body)
      } else t.match(first.json(), { code: 400, parameter: 'Idempotency-Key' })
    }),
    { numRuns: 200 },
  )
})
