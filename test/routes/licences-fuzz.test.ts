import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { documentedErrors, type ErrorCode } from '../../src/errors.js'
import { appInMemory } from '../app.js'
import { form } from '../harness.js'
import { clearKeyBody, KID, OTHER_KID, playreadyBody } from '../redeeming.js'

const REQUESTS_OF_EACH = 25_000
const LONGEST_BLOCKED_MS = 50
const BODY_LIMIT = 65_536

const { challenges } = JSON.parse(readFileSync('test/vectors/challenges.json', 'utf8')) as {
  challenges: { body: string }[]
} // the file says what is in it

const app = await appInMemory({ BODY_LIMIT })
t.teardown(() => app.close())
const issued = await app.inject(`/hms/pr/token?${form({ kid: KID })}`)
const { token } = issued.json() as { token: string } // a wrong answer makes every request below fail

interface Answer {
  readonly statusCode: number
  readonly body: string
}

/** Sends it, and again when it took long: what blocks the event loop does so every time, a busy machine does not. */
async function ask(path: string, payload: string | Buffer): Promise<Answer & { milliseconds: number }> {
  let fastest = Number.POSITIVE_INFINITY
  for (let tries = 1; ; tries += 1) {
    const start = performance.now()
    const answer = await app.inject({ method: 'POST', url: `${path}?ExpressPlayToken=${token}`, payload })
    fastest = Math.min(fastest, performance.now() - start)
    if (fastest <= LONGEST_BLOCKED_MS || tries === 5)
      return { statusCode: answer.statusCode, body: answer.body, milliseconds: fastest }
  }
}

function isDocumented(code: number, status: number): boolean {
  return documentedErrors.get(code as ErrorCode)?.status === status || (code === 413 && status === 413)
}

function isClearKeyAnswer({ statusCode, body }: Answer): boolean {
  if (statusCode === 200) return body.startsWith('{"keys":[{"kty":"oct","kid":"M0tdPUT1T1akEOB8qqcWDg"')
  return isDocumented((JSON.parse(body) as { code: number }).code, statusCode) // else it fails here
}

function isPlayreadyAnswer({ statusCode, body }: Answer): boolean {
  if (statusCode === 200) return body.includes(`<Licence kid="${KID}"`)
  const [, customData] = /<StatusCode>0x8004C604<\/StatusCode><CustomData>(\{.*\})<\/CustomData>/.exec(body) ?? []
  if (statusCode !== 500 || customData === undefined) return false
  const { code } = JSON.parse(customData.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&')) as {
    code: number // else it is not documented
  }
  return code === 413 || documentedErrors.has(code as ErrorCode)
}

const hostile = fc.oneof(
  fc.constantFrom(
    ...['<', '>', '&', '"', "'", '/', '/>', '</', '<a>', '</a>', '<a/>', '=', ' a="b"', ' a=', 'xmlns:', '<!', '<?x?>'],
    ...['<![CDATA[', ']]>', '<!--', '-->', '<?', '&amp;', '&lt;', '&#0;', '&#65;', '&#x10FFFF;', '&#x110000;', '&b;'],
    ...['<!DOCTYPE a [<!ENTITY b "c">]>', '<!DOCTYPE a SYSTEM "file:///etc/passwd">', '<!ENTITY b "c">', '%2D', '%'],
    ...['<KID>', '<KIDS>', '</KID>', 'VALUE="', '<WRMHEADER>', '<LA>', '<CustomData>', '__proto__', 'constructor'],
    ...[
      '[',
      ']',
      '{',
      '}',
      ',',
      ':',
      '[]',
      '{}',
      'null',
      '1e999',
      '"kids":',
      '"__proto__":',
      '\\u0000',
      '\\ud800',
      '==',
    ],
    ...['\u0000', '\ufeff', '\ud800', '٣', 'AAAAAAAAAAAAAAAAAAAAAA', `"${'A'.repeat(22)}",`],
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
)

/** One change somewhere in a text: `at` and `length` are parts of its length. */
const change = fc.record({
  kind: fc.constantFrom('insert', 'insert', 'replace', 'remove', 'double', 'cut', 'flood'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.double({ min: 0, max: 0.2, noNaN: true }),
  snippet: hostile,
})

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

function changed(text: string, { kind, at, length, snippet }: Change): string {
  const start = Math.floor(at * text.length)
  const end = start + Math.ceil(length * text.length)
  const [before, part, after] = [text.slice(0, start), text.slice(start, end), text.slice(end)]
  switch (kind) {
    case 'insert':
      return before + snippet + part + after
    case 'remove':
      return before + after
    case 'double':
      return before + part + part + after
    case 'cut':
      return before
    case 'flood':
      return before + snippet.repeat(Math.floor(length * 300)) + part + after
    default:
      return before + snippet + after
  }
}

function mutated(...originals: string[]): fc.Arbitrary<string | Buffer> {
  const texts = fc
    .tuple(fc.constantFrom(...originals), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([text, changes]) => changes.reduce(changed, text))
  const bytes = fc.tuple(texts, fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
    const whole = Buffer.from(text)
    if (whole.length > 0) whole[at % whole.length] = byte
    return whole
  })
  return fc.oneof({ weight: 4, arbitrary: texts }, { weight: 1, arbitrary: bytes })
}

async function check(path: string, bodies: fc.Arbitrary<string | Buffer>, isAnswer: (answer: Answer) => boolean) {
  const seen = new Map<number, number>()
  let longest = 0
  const property = fc.asyncProperty(bodies, async body => {
    const { milliseconds, ...answer } = await ask(path, body)
    seen.set(answer.statusCode, (seen.get(answer.statusCode) ?? 0) + 1)
    longest = Math.max(longest, milliseconds)
    return milliseconds <= LONGEST_BLOCKED_MS && isAnswer(answer)
  })
  await fc.assert(property, { numRuns: REQUESTS_OF_EACH })
  return { seen, longest }
}

t.test(`${REQUESTS_OF_EACH} mutated SOAP bodies: a licence or the documented fault`, async t => {
  const bodies = mutated(playreadyBody(), ...challenges.map(({ body }) => body))
  const { seen, longest } = await check('/playready/RightsManager.asmx', bodies, isPlayreadyAnswer)
  t.comment(`longest ${longest.toFixed(1)} ms, ${JSON.stringify([...seen])}`)
  t.ok((seen.get(200) ?? 0) > 100, 'some are still good')
  t.ok((seen.get(500) ?? 0) > 5000)
})

t.test(`${REQUESTS_OF_EACH} mutated Clear Key requests: keys or a documented error`, async t => {
  const json = fc.oneof(
    fc.json(),
    fc.record({ kids: fc.jsonValue(), type: fc.jsonValue() }).map(one => JSON.stringify(one)),
  )
  const bodies = fc.oneof(
    { weight: 4, arbitrary: mutated(clearKeyBody(KID), clearKeyBody(KID, OTHER_KID), '{"kids":[]}') },
    { weight: 1, arbitrary: json },
  )
  const { seen, longest } = await check('/hms/ck/rights/', bodies, isClearKeyAnswer)
  t.comment(`longest ${longest.toFixed(1)} ms, ${JSON.stringify([...seen])}`)
  t.ok((seen.get(200) ?? 0) > 100, 'some are still good')
  t.ok((seen.get(400) ?? 0) > 5000)
})

t.test('the heaviest bodies that are taken', async t => {
  const full = (unit: string, head = '', tail = '') =>
    head + unit.repeat(Math.floor((BODY_LIMIT - head.length - tail.length) / unit.length)) + tail
  const attributes = Array.from({ length: 7000 }, (_, index) => ` a${index}=""`).join('')
  const soap = [
    full('<a>'),
    full('<a/>', '<a>', '</a>'),
    `<a${attributes}/>`,
    full('&amp;', '<a>', '</a>'),
    full('&#65;', '<a>', '</a>'),
    full('<![CDATA['),
    full('a', '<!'),
    full('a', '< !'),
    full(' ', '<'),
    full('< '),
    full('<!--'),
    full('?', '<?'),
    full('<!ENTITY b "c">', '<!DOCTYPE a ['),
    full('x', '<a b="', '"/>'),
    full(
      '<KID>AAAAAAAAAAAAAAAAAAAAAA==</KID>',
      playreadyBody().replace(/<KID>.*/, ''),
      playreadyBody().replace(/.*<\/KID>/, ''),
    ),
    full('<', '<a>'),
    full('\u0000'),
  ]
  const json = [
    full('['),
    full('{"kids":'),
    full('"",', '{"kids":[', '""]}'),
    full(`"${'A'.repeat(22)}",`, '{"kids":[', '""]}'),
    full('{},', '{"kids":[', '{}]}'),
    full('"a":1,', '{', '"a":1}'),
    full('\\u0000', '{"kids":["', '"]}'),
  ]
  for (const body of soap) {
    const { milliseconds, ...answer } = await ask('/playready/RightsManager.asmx', body)
    t.ok(
      isPlayreadyAnswer(answer) && milliseconds <= LONGEST_BLOCKED_MS,
      `${milliseconds.toFixed(1)} ms: ${body.slice(0, 40)}`,
    )
  }
  for (const body of json) {
    const { milliseconds, ...answer } = await ask('/hms/ck/rights/', body)
    t.ok(
      isClearKeyAnswer(answer) && milliseconds <= LONGEST_BLOCKED_MS,
      `${milliseconds.toFixed(1)} ms: ${body.slice(0, 40)}`,
    )
  }
})
