import fc from 'fast-check'
import t from 'tap'
import { type EntitlementAnswer, entitlementAnswer } from '../../schemas/entitlement.js'
import { documentedRefusals } from '../../src/errors/entitlement-refusal.js'
import { parseJson } from '../../src/ground/json-text.js'
import { serviceId } from '../../src/store/tables.js'
import { anyCharacter } from '../any-character.js'
import { repetitions } from '../counts.js'
import { CONTENT_KEY, NOON } from '../harness.js'
import { CUSTOMER, KID } from '../redeeming.js'
import { entitlementAppInMemory } from './app.js'
import { CATALOGUE, MESSAGE } from './service.js'

const REQUESTS = repetitions({ usual: 2000, long: 20_000 })
const BODY_LIMIT = 2000
const LONGEST_ECHO = 64

const text = fc.string({ unit: anyCharacter, maxLength: 80 })
const junk = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    -0,
    1.5,
    2 ** 53,
    1e300,
    '',
    '1',
    [],
    {},
    ['a'],
    '\ud800',
    '\u0000',
    `${MESSAGE} `,
  ),
  text,
  fc.jsonValue({ maxDepth: 1 }),
)

/** Mostly one of these, sometimes anything, and sometimes nothing. */
function mostly(...values: unknown[]) {
  return fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...values) },
    { weight: 1, arbitrary: junk },
    { weight: 1, arbitrary: fc.constant(undefined) },
  )
}

const fields = fc.record({
  messageID: fc.oneof(
    { weight: 3, arbitrary: mostly(MESSAGE, MESSAGE.toUpperCase()) },
    { weight: 1, arbitrary: fc.uuid() },
  ),
  version: mostly(1, 1, 1, 1, 1, 2, 0, -1),
  requestType: mostly(1, 2, 3),
  contentID: mostly(...Object.values(CATALOGUE), CATALOGUE.film.toUpperCase()),
  customerCookie: mostly('viewer-1', 'viewer-2', '', '\u{1f600}'.repeat(32), 'x'.repeat(33), undefined),
  drm: mostly(undefined, undefined, undefined, 'playready', 'widevine', 'fairplay', 'marlin'),
})
const nearlyValid = fc.tuple(fields, fc.dictionary(fc.oneof(text, fc.constant('__proto__')), junk, { maxKeys: 2 }))
const json = nearlyValid.map(([asked, more]) => JSON.stringify({ ...more, ...asked }))

const body = fc.oneof(
  { weight: 20, arbitrary: json.map(asked => Buffer.from(asked)) },
  { weight: 2, arbitrary: fc.json({ maxDepth: 2 }).map(one => Buffer.from(one)) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)) },
  // Broken off, with something behind it, twice, or longer than may be.
  { weight: 2, arbitrary: fc.tuple(json, fc.nat(200)).map(([asked, end]) => Buffer.from(asked.slice(0, end))) },
  { weight: 1, arbitrary: fc.tuple(json, text).map(([asked, more]) => Buffer.from(asked + more)) },
  { weight: 1, arbitrary: json.map(asked => Buffer.from(asked.replace(/^{/, `${asked.slice(0, -1)},`))) },
  { weight: 1, arbitrary: json.map(asked => Buffer.from(asked + ' '.repeat(BODY_LIMIT))) },
  { weight: 1, arbitrary: fc.constant(Buffer.alloc(0)) },
)

const request = fc.record({
  method: fc.oneof(
    { weight: 20, arbitrary: fc.constant('POST' as const) },
    { weight: 1, arbitrary: fc.constantFrom('GET' as const, 'PUT' as const, 'PATCH' as const, 'DELETE' as const) },
  ),
  url: fc.oneof(
    { weight: 20, arbitrary: fc.constant('/entitlement') },
    {
      weight: 1,
      arbitrary: fc.constantFrom('/entitlement?errorFormat=html', '/', '/entitlement/', '/%zz', '/ENTITLEMENT', '//'),
    },
  ),
  contentType: fc.constantFrom(
    'application/json',
    'application/json; charset=utf-8',
    'text/plain',
    '',
    ';;;',
    'a/b; c="',
  ),
  body,
})

/** What the body says, if it says anything: with a name twice it says two things, and so none. */
function said(body: Buffer): { messageID?: unknown; version?: unknown } {
  try {
    const parsed = parseJson(body.toString())
    return typeof parsed === 'object' && parsed !== null ? parsed : {}
  } catch {
    return {}
  }
}

const numbers = new Set<number>(documentedRefusals.map(({ number }) => number))

interface Exchanged {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  readonly answer: EntitlementAnswer
  /** What of the request can have been read. */
  readonly asked: { readonly messageID?: unknown; readonly version?: unknown }
}

const TOKEN_URL = /^http:\/\/localhost:8080\/playready\/RightsManager\.asmx\?ExpressPlayToken=[\w-]+$/

/** What holds for every request and its answer. */
const rules: Readonly<Record<string, (exchanged: Exchanged) => boolean>> = {
  'no failure': ({ status }) => status < 500,
  'the messageID is repeated': ({ asked, answer }) =>
    answer.messageID === (typeof asked.messageID === 'string' ? asked.messageID.slice(0, LONGEST_ECHO) : ''),
  'no version above ours': ({ answer }) => answer.version <= 1,
  'no version above theirs': ({ asked: { version }, answer }) =>
    typeof version !== 'number' || version < Number.MIN_SAFE_INTEGER || answer.version <= version,
  'a token where it is allowed': ({ answer }) => answer.isAllowed === TOKEN_URL.test(answer.epTokenURL),
  'no URL where it is not': ({ answer }) => answer.isAllowed || answer.epTokenURL === '',
  'an error where it is not': ({ answer }) => answer.isAllowed === (answer.error === 0),
  'and its text': ({ answer }) => answer.isAllowed === (answer.errorText === ''),
  'only what is in order is allowed': ({ asked, status, answer }) =>
    !answer.isAllowed || (asked.version === 1 && status === 200),
  'a documented error': ({ status, answer: { error } }) =>
    error === 0 || error === status || error === -4019 || numbers.has(error),
  'the content type': ({ headers }) => headers['content-type'] === 'application/json',
  'a request id': ({ headers }) => typeof headers['x-request-id'] === 'string',
  'no key': ({ text }) => !text.toLowerCase().includes(CONTENT_KEY),
}

t.test(`${REQUESTS} generated requests: an answer of the documented form to each`, async t => {
  const { app, log, services } = await entitlementAppInMemory(t, { settings: { BODY_LIMIT } })
  // A viewer who has a device already.
  await services.ledger.append({
    customerId: CUSTOMER,
    environment: 'test',
    time: NOON,
    event: 'token_redeemed',
    drm: 'playready',
    kids: [KID],
    cookie: 'viewer-1',
    deviceId: '00112233445566778899aabbccddeeff',
    errorCode: 0,
    requestId: 'before',
  })
  const seen = new Map<number, number>()
  let decisions = 0

  const property = fc.asyncProperty(request, async ({ method, url, contentType, body }) => {
    const given = contentType === '' ? {} : { 'content-type': contentType }
    const payload = method === 'GET' ? '' : body
    const { statusCode: status, body: text, headers } = await app.inject({ method, url, headers: given, payload })
    const answer = entitlementAnswer.parse(JSON.parse(text))
    seen.set(answer.error, (seen.get(answer.error) ?? 0) + 1)
    if (status === 200) decisions += 1
    const asked = method === 'GET' || status === 413 ? {} : said(body)
    const exchanged: Exchanged = { status, headers, text, answer, asked }
    for (const [name, holds] of Object.entries(rules)) if (!holds(exchanged)) throw new Error(`${name}: ${text}`)
  })
  await fc.assert(property, { numRuns: REQUESTS })

  const few = REQUESTS / 1000
  for (const error of [0, 1001, 1002, 1003, 1004, 1101, 1102, 1103, 1104, 1109, -4019, 404, 405, 413])
    t.ok((seen.get(error) ?? 0) > few, `${error}: ${seen.get(error)} times`)
  const [newest] = await services.store.events.newest(serviceId(CUSTOMER, 'test'), 1)
  t.equal(newest?.event_id, 1 + decisions, 'every decision is an event, and nothing else is one')
  const told = log.join('') + (await services.metrics.registry.metrics())
  t.notMatch(told, new RegExp(`${CONTENT_KEY}|ExpressPlayToken`, 'i'))
  t.notMatch(told, '"level":50', 'nothing failed')
})
