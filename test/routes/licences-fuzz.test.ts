import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { fairplay } from '../../src/drm/fairplay-family.js'
import { TOKEN_FAMILIES } from '../../src/drm/families.js'
import type { TokenFamily } from '../../src/drm/family.js'
import { broadband, ms3 } from '../../src/drm/marlin-families.js'
import { playready } from '../../src/drm/playready-family.js'
import { widevine } from '../../src/drm/widevine-family.js'
import { documentedErrors, type ErrorCode } from '../../src/errors/error-catalogue.js'
import { anyCharacter } from '../any-character.js'
import { appWith } from '../app.js'
import { repetitions } from '../counts.js'
import { form } from '../harness.js'
import { clearKeyBody, KID, OTHER_KID, playreadyBody } from '../redeeming.js'

const REQUESTS_OF_EACH = repetitions({ usual: 2000, long: 20_000 })
const BODY_LIMIT = 65_536

const { challenges } = JSON.parse(readFileSync('test/vectors/challenges.json', 'utf8')) as {
  challenges: { body: string }[]
} // the file says what is in it

const { app } = await appWith(t, { settings: { BODY_LIMIT, LOG_LEVEL: 'silent' } })

async function tokenOf(family: TokenFamily): Promise<string> {
  const url = `${family.tokenPath}?${form({ kid: KID }, family)}`
  const issued = await app.inject({ url, headers: { accept: 'application/json' } })
  return issued.json<{ token: string }>().token // a wrong answer makes every request below fail
}

/** One token for each licence endpoint; Clear Key takes that of any. */
const tokens = new Map<string, string>()
for (const family of TOKEN_FAMILIES) tokens.set(family.licences.path, await tokenOf(family))
tokens.set('/hms/ck/rights/', await tokenOf(playready))

interface Answer {
  readonly statusCode: number
  readonly body: string
}

async function ask(path: string, payload: string | Buffer): Promise<Answer & { milliseconds: number }> {
  const start = performance.now()
  const answer = await app.inject({ method: 'POST', url: `${path}?ExpressPlayToken=${tokens.get(path)}`, payload })
  return { statusCode: answer.statusCode, body: answer.body, milliseconds: performance.now() - start }
}

/** What blocks the event loop does so every time, a busy machine does not: so the fastest of several tries counts. */
const TRIES = 5

/** Whether a request takes no longer than so many times another one. Both are sent anew as long as it does not look so. */
async function isWithin(times: number, send: () => Promise<Measured>, sendOther: () => Promise<Measured>) {
  let [fastest, other] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let tries = 0; tries < TRIES; tries += 1) {
    other = Math.min(other, (await sendOther()).milliseconds)
    fastest = Math.min(fastest, (await send()).milliseconds)
    if (fastest <= times * other) return true
  }
  return false
}

interface Measured {
  readonly milliseconds: number
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
  fc.string({ unit: anyCharacter, maxLength: 12 }),
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

/** A mutated body is of the size of a good one, and takes a multiple of its time at most. */
const MOST_TIMES_A_GOOD_ONE = 50

async function check(
  path: string,
  good: string,
  bodies: fc.Arbitrary<string | Buffer>,
  isAnswer: (answer: Answer) => boolean,
  numRuns = REQUESTS_OF_EACH,
) {
  const seen = new Map<number, number>()
  let usual = Number.POSITIVE_INFINITY
  for (let tries = 0; tries < 100; tries += 1) usual = Math.min(usual, (await ask(path, good)).milliseconds)
  const property = fc.asyncProperty(bodies, async body => {
    const { milliseconds, ...answer } = await ask(path, body)
    seen.set(answer.statusCode, (seen.get(answer.statusCode) ?? 0) + 1)
    if (!isAnswer(answer)) return false
    if (milliseconds <= MOST_TIMES_A_GOOD_ONE * usual) return true
    return isWithin(
      MOST_TIMES_A_GOOD_ONE,
      () => ask(path, body),
      () => ask(path, good),
    )
  })
  await fc.assert(property, { numRuns })
  return seen
}

t.test(`${REQUESTS_OF_EACH} mutated SOAP bodies: a licence or the documented fault`, async t => {
  const bodies = mutated(playreadyBody(), ...challenges.map(({ body }) => body))
  const seen = await check('/playready/RightsManager.asmx', playreadyBody(), bodies, isPlayreadyAnswer)
  t.comment(JSON.stringify([...seen]))
  t.ok((seen.get(200) ?? 0) > REQUESTS_OF_EACH / 1000, 'some are still good')
  t.ok((seen.get(500) ?? 0) > REQUESTS_OF_EACH / 5)
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
  const seen = await check('/hms/ck/rights/', clearKeyBody(KID), bodies, isClearKeyAnswer)
  t.comment(JSON.stringify([...seen]))
  t.ok((seen.get(200) ?? 0) > REQUESTS_OF_EACH / 1000, 'some are still good')
  t.ok((seen.get(400) ?? 0) > REQUESTS_OF_EACH / 5)
})

function isStandIn({ statusCode, body }: Answer): boolean {
  const { code, emulated, licences } = JSON.parse(body) as { code: number; emulated: boolean; licences?: unknown[] } // else it fails here
  return statusCode === 200 ? emulated && licences?.length !== 0 : isDocumented(code, statusCode)
}

/** Fewer, because of these challenges hardly anything is read. */
const OPAQUE_REQUESTS = Math.ceil(REQUESTS_OF_EACH / 4)

for (const family of [widevine, fairplay, ms3, broadband])
  t.test(`${OPAQUE_REQUESTS} challenges of ${family.title}: a stand-in or a documented error`, async t => {
    const { path } = family.licences
    const good = family === broadband ? actionTokenOf(tokens.get(path) ?? '') : 'an opaque challenge'
    const bytes = fc.uint8Array({ maxLength: 64 }).map(some => Buffer.from(some))
    const bodies = fc.oneof({ weight: 2, arbitrary: mutated(good) }, { weight: 1, arbitrary: bytes })
    const seen = await check(path, good, bodies, isStandIn, OPAQUE_REQUESTS)
    t.comment(JSON.stringify([...seen]))
    t.ok((seen.get(200) ?? 0) > OPAQUE_REQUESTS / 10, 'some are still good')
  })

/** As clients post it. */
function actionTokenOf(token: string): string {
  return broadband.answer.text({ token, licenseAcquisitionUrl: 'http://127.0.0.1/hms/bb/rights/' }, {})
}

/** What grows with the square of its size takes sixteen times as long per byte in a body sixteen times as large. */
const SIXTEENTH = 1 / 16
const MOST_TIMES_A_SIXTEENTH = 64

t.test('the time that a body takes does not grow with the square of its size', async t => {
  const full =
    (unit: string, head = '', tail = '') =>
    (part = 1) =>
      head + unit.repeat(Math.floor((BODY_LIMIT * part - head.length - tail.length) / unit.length)) + tail
  const attributes = (part = 1) =>
    `<a${Array.from({ length: Math.floor(7000 * part) }, (_, index) => ` a${index}=""`).join('')}/>`
  const soap = [
    full('<a>'),
    full('<a/>', '<a>', '</a>'),
    attributes,
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
  const withBusinessToken = (bodyOf: (part?: number) => string) => (part?: number) =>
    `${bodyOf(part).slice(0, -30)}<BusinessToken/>`
  const endpoints = [
    { path: '/playready/RightsManager.asmx', bodies: soap, isAnswer: isPlayreadyAnswer },
    { path: '/hms/ck/rights/', bodies: json, isAnswer: isClearKeyAnswer },
    // Of the opaque challenges it is the only one that is read.
    { path: '/hms/bb/rights/', bodies: soap.map(withBusinessToken), isAnswer: isStandIn },
  ]
  for (const { path, bodies, isAnswer } of endpoints)
    for (const bodyOf of bodies) {
      const [whole, sixteenth] = [bodyOf(), bodyOf(SIXTEENTH)]
      t.ok(isAnswer(await ask(path, whole)), whole.slice(0, 40))
      const isInTime = await isWithin(
        MOST_TIMES_A_SIXTEENTH,
        () => ask(path, whole),
        () => ask(path, sixteenth),
      )
      t.ok(isInTime, `in time: ${whole.slice(0, 40)}`)
    }
})
