import { gzipSync } from 'node:zlib'
import t from 'tap'
import { playreadyKeys } from '../../schemas/keys.js'
import { playreadySchema } from '../../schemas/playready.js'
import { tokenRequestParameters } from '../../schemas/token-request.js'
import { askerOf, entitlementSettings } from '../entitlement/service.js'
import { FAMILIES } from '../families.js'
import { startGateway } from './gateway.js'
import {
  answerOf,
  type Behaviour,
  drips,
  ends,
  hangs,
  issuedBody,
  issues,
  resets,
  says,
  startHostile,
} from './hostile.js'

const TIMEOUT = 700
const html = '<html><body>Bad gateway</body></html>'
const body = issuedBody('A'.repeat(171))
const chunk = `${body.length.toString(16)}\r\n${body}\r\n`
const chunked = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'
const refusal = (code: number) => JSON.stringify({ code, message: 'ExpressPlay Admin error: down' })

/** Whether a token was issued nobody can know: it stays paid for. */
const unknown = { event: 'token_unknown', isPaid: true }
/** Certainly none was issued. */
const refused = { event: 'token_refused', isPaid: false }
const issued = { event: 'token_issued', isPaid: true }

type Case = readonly [name: string, behaviour: Behaviour, status: number, outcome: typeof unknown, message?: RegExp]
const lost = /the connection to the upstream was lost, and it is unknown whether it issued a token$/
const late = /the upstream did not answer in time, and it is unknown/
const nonsense = /the upstream answered with something that is no answer, and it is unknown/
const large = /the answer of the upstream is too large, and it is unknown/
const declined = /the upstream refused with something that is no answer$/
const tooMany = /the upstream asks for fewer requests$/

const cases: readonly Case[] = [
  ['a reset after the request', resets, 502, unknown, lost],
  ['an end without an answer', ({ socket }) => socket.end(), 502, unknown, lost],
  ['no answer', hangs, 504, unknown, late],
  ['a body that takes minutes', drips, 504, unknown, late],
  [
    'provisional answers without end',
    says('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(9)),
    504,
    unknown,
    late,
  ],
  [
    'a 5xx that is an error',
    says(answerOf(refusal(-2030), { status: '503 Down' })),
    503,
    unknown,
    /^\[-2030\] ExpressPlay Admin/,
  ],
  ['a 5xx that is a page', says(answerOf(html, { status: '502 Bad', type: 'text/html' })), 502, unknown, nonsense],
  ['a page with status 200', says(answerOf(html, { type: 'text/html' })), 502, unknown, nonsense],
  ['a page with status 404', says(answerOf(html, { status: '404 No', type: 'text/html' })), 502, refused, declined],
  ['a page with status 429', says(answerOf(html, { status: '429 Slow', type: 'text/html' })), 429, refused, tooMany],
  ['JSON that ends early', ends(answerOf(body.slice(0, -20))), 502, unknown, nonsense],
  ['a body shorter than it says', ends(answerOf(body).slice(0, -20)), 502, unknown, lost],
  ['chunks without an end', ends(chunked + chunk), 502, unknown, lost],
  ['a chunk that ends early', ends(chunked + chunk.slice(0, -20)), 502, unknown, lost],
  ['chunks that are none', says(`${chunked}xyz\r\n${body}\r\n`), 502, unknown, nonsense],
  [
    'a large answer',
    says(answerOf(JSON.stringify({ ...JSON.parse(body), more: 'x'.repeat(66_000) }))),
    502,
    unknown,
    large,
  ],
  [
    'a large answer in chunks',
    says(`${chunked}${`4000\r\n${'x'.repeat(0x4000)}\r\n`.repeat(5)}0\r\n\r\n`),
    502,
    unknown,
    large,
  ],
  ['large headers', says(answerOf(body, { headers: `x: ${'x'.repeat(20_000)}\r\n` })), 502, unknown, large],
  ['many headers', says(answerOf(body, { headers: 'x: y\r\n'.repeat(20_000) })), 502, unknown, large],
  ['what is no HTTP', ends('SSH-2.0-OpenSSH_9.2\r\n'), 502, unknown, nonsense],
  [
    'another protocol',
    says('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    502,
    unknown,
    lost,
  ],
  // It should be skipped, as 103 is, but undici cannot: where this fails because it can, `isUnaskedContinue` may go.
  ['100 Continue', says(`HTTP/1.1 100 Continue\r\n\r\n${answerOf(body)}`), 502, unknown, nonsense],
  ['two lengths', says(answerOf(body, { headers: 'content-length: 5\r\n' })), 502, unknown, lost],
  ['gzip, which nobody asked for', ({ socket }) => void socket.write(gzipped()), 502, unknown, nonsense],
  ['an array', says(answerOf('[]')), 502, unknown, nonsense],
  [
    'a token that is a number',
    says(answerOf('{"licenseAcquisitionUrl":"https://a.example","token":17}')),
    502,
    unknown,
    nonsense,
  ],
  ['a URL that is a script', says(answerOf(body.replace('https:', 'javascript:'))), 502, unknown, nonsense],
  ['an error with status 200', says(answerOf(refusal(-2030))), 502, unknown, nonsense],
  ['an empty body', says(answerOf('')), 502, unknown, nonsense],
  ['204', says('HTTP/1.1 204 No Content\r\n\r\n'), 502, unknown, nonsense],
  [
    'a redirection',
    says(answerOf('', { status: '307 Elsewhere', headers: 'location: /elsewhere\r\n' })),
    502,
    refused,
    declined,
  ],
  [
    'a redirection to what was done',
    says(answerOf('', { status: '303 See', headers: 'location: /x\r\n' })),
    502,
    unknown,
    nonsense,
  ],
  ['a token of the customer', says(answerOf(issuedBody(tokenOf(777, '2015')))), 200, issued],
  ['a newer token of the customer', says(answerOf(issuedBody(tokenOf(777, '2021')))), 200, issued],
  ['a token of another customer', says(answerOf(issuedBody(tokenOf(778, '2015')))), 502, unknown, nonsense],
  ['a newer token of another customer', says(answerOf(issuedBody(tokenOf(778, '2021')))), 502, unknown, nonsense],
  ['a URL in capitals', says(answerOf(issuedBody().replace('https:', 'HTTPS:'))), 200, issued],
  ['a status beyond all', says(answerOf(refusal(-2030), { status: '600 What' })), 502, unknown, nonsense],
  [
    'a hint before the answer',
    says(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${answerOf(issuedBody())}`),
    200,
    issued,
  ],
  ['something behind the answer', says(`${answerOf(issuedBody())}${answerOf(body)}garbage`), 200, issued],
  [
    'the end of the connection after the answer',
    ends(answerOf(issuedBody(), { headers: 'connection: close\r\n' })),
    200,
    issued,
  ],
]

/** A token with the customer's number among its outer bytes. */
function tokenOf(customer: number, style: '2015' | '2021'): string {
  const number = Buffer.alloc(4)
  number.writeUInt32BE(customer)
  const sealed = Buffer.alloc(0x60, 'sealed')
  const id = `\0\0\0\0$00112233-4455-6677-8899-aabbccddeeff\0\0\0`
  const parts =
    style === '2015' ? ['\x01', number, '\0\0\0\0\0\0', '`', sealed, 16] : ['\x08', number, id, '`', sealed, 20]
  const bytes = parts.map(part => (typeof part === 'number' ? Buffer.alloc(part) : Buffer.from(part as string)))
  return Buffer.concat(bytes).toString('base64url')
}

function gzipped(): Buffer {
  const zipped = gzipSync(body)
  const head = `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${zipped.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), zipped])
}

t.test('every failure of every DRM has its outcome, is sent once, and leaves the next requests alone', async t => {
  const upstream = await startHostile(t, issues)
  const settings = { UPSTREAM_TIMEOUT: TIMEOUT, RATE_LIMIT_PER_ACCOUNT: '0', RATE_LIMIT_PER_ADDRESS: '0' }
  const gateway = await startGateway(t, upstream.url, settings)
  upstream.behave = hangs
  const start = performance.now()
  t.equal((await gateway.ask('reference')).status, 504)
  /** How long an answer takes that never comes: on this machine, at this moment. */
  const hanging = performance.now() - start
  let paid = 1
  const work = async (times: number) => {
    upstream.behave = issues
    for (let time = 0; time < times; time += 1) {
      const next = await Promise.all(FAMILIES.map(of => gateway.askFor(of, 'next')))
      for (const one of next) t.match(one, { status: 200, body: { token: /^AQAAAAM7/ } }, 'the next request')
      paid += FAMILIES.length
    }
  }
  // Twice as many succeed as fail, or the circuit would open.
  await work(2)
  for (const [index, [name, behaviour, status, { event, isPaid }, message]] of cases.entries()) {
    upstream.behave = behaviour
    const begin = performance.now()
    const answers = await Promise.all(FAMILIES.map(of => gateway.askFor(of, `${of.family.name}-${index}`)))
    t.ok(performance.now() - begin < 20 * hanging, `${name}: in time`)
    for (const [which, { family }] of FAMILIES.entries()) {
      const title = `${name}, ${family.name}`
      const [answer, cookie] = [answers[which], `${family.name}-${index}`]
      t.equal(answer?.status, status, title)
      if (message !== undefined) t.match(answer?.body, { code: -2030, message }, title)
      t.equal(upstream.arrivalsOf(cookie), 1, `${title}: arrived once`)
      const error_code = message === undefined ? 0 : -2030
      t.match(await gateway.eventsOf(cookie), [{ event, error_code, drm: family.drm }], title)
    }
    paid += isPaid ? FAMILIES.length : 0
    t.equal(await gateway.paid(), paid, `${name}: the balance`)
    await work(2)
  }
  t.equal(
    await gateway.metric('expressplay_upstream_requests_total{environment="test",outcome="timed_out"}'),
    1 + 3 * FAMILIES.length,
  )
  t.match(gateway.log.join('\n'), /"failure":"connection lost","reason":"ECONNRESET"/)
  t.match(gateway.log.join('\n'), /"failure":"no answer","reason":"HTTP_100"/)
})

t.test('an answer in the form of its DRM is a token, or it is no answer', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url)
  const token = tokenOf(777, '2021')
  const base64 = Buffer.from(token, 'base64url').toString('base64')
  const answersOf = new Map(FAMILIES.map(({ family, answer }) => [family.name, answer(token)]))
  const [wv = '', ms3 = '', bb = ''] = ['widevine', 'ms3', 'bb'].map(name => answersOf.get(name))
  const good: readonly (readonly [drms: readonly string[], text: string])[] = [
    ...FAMILIES.map(({ family, answer }) => [[family.name], `${answer(token)}\r\n`] as const),
    [['widevine'], wv.replace('?', '?tenant=7&')],
    [['widevine'], wv.replace(token, encodeURIComponent(base64))],
    [['widevine'], wv.replace('https:', 'HTTPS:')],
    [['ms3'], ms3.replace('ms3hs:', 'ms3:')],
    [['ms3'], ms3.replace('ms3hs:', 'http:').replace(/#.*/, '')],
    [['bb'], bb.replaceAll('at:', '').replace('xmlns:at', 'xmlns')],
    [['bb'], bb.replace(base64, `<![CDATA[${base64.replace(/.{76}/g, '$&\r\n')}]]>`)],
  ]
  const bad: readonly (readonly [drms: readonly string[], text: string])[] = [
    // The forms of other DRMs.
    [['playready', 'fairplay', 'widevine', 'bb'], ms3],
    [['playready', 'ms3', 'bb'], wv],
    [['playready', 'widevine', 'fairplay', 'ms3'], bb],
    ...['widevine', 'fairplay', 'ms3'].flatMap(name => {
      const text = answersOf.get(name) ?? ''
      return [
        `${text}\n${text}`,
        `see ${text}`,
        text.replace(/^\w+:/, 'javascript:'),
        text.replace(/^\w+:\/\/[^/]*/, ''),
        text.replace(token, 'short'),
        text.replace(token, `${token.slice(0, -3)}%zz`),
        text.replace(token, `${token.slice(0, -3)}%00`),
        text.replace(token, ''),
        text.replace(token, `${token}&ExpressPlayToken=${token}&b=${token}`),
        text.replace('.test.', '.te"st.'),
        text.replace('.test.', '.te st.'),
        text.replace('/hms', '/<hms'),
      ].map(one => [[name], one] as const)
    }),
    ...[
      bb.slice(0, -20),
      bb.replace('<at:Act', '<!DOCTYPE x [<!ENTITY y "z">]><at:Act'),
      bb.replaceAll('ActionToken', 'Registration'),
      bb.replaceAll('BusinessToken', 'Token'),
      bb.replaceAll('ResourceLocation', 'Place'),
      bb.replace('https:', 'javascript:'),
      bb.replace(base64, 'c2hvcnQ='),
      bb.replace(base64, `${base64.slice(0, 40)}?${base64.slice(40)}`),
      '<a>'.repeat(9000),
    ].map(one => [['bb'], one] as const),
  ]
  for (const of of FAMILIES) {
    const { name } = of.family
    for (const [index, [, text]] of good.filter(([drms]) => drms.includes(name)).entries()) {
      upstream.behave = says(answerOf(text, { type: 'text/uri-list' }))
      const cookie = `${name} good ${index}`
      const { status, body } = await gateway.askFor(of, cookie)
      t.equal(status, 200, text)
      t.equal(Buffer.from(body.token ?? '', 'base64').toString('base64url'), token, text)
      const url = of.licenceUrl.replace(/^https:/, text.startsWith('http:') ? 'http:' : 'https:')
      const { licenseAcquisitionUrl = '' } = body
      t.equal(licenseAcquisitionUrl.replace(/^HTTPS:/, 'https:').replace('?tenant=7', ''), url, text)
      t.match(await gateway.eventsOf(cookie), [{ event: 'token_issued' }], text)
    }
    for (const [index, [, text]] of bad.filter(([drms]) => drms.includes(name)).entries()) {
      upstream.behave = says(answerOf(text, { type: 'text/uri-list' }))
      const cookie = `${name} bad ${index}`
      const { status, body } = await gateway.askFor(of, cookie)
      t.match({ status, body }, { status: 502, body: { code: -2030, message: nonsense } }, `${name}: ${text}`)
      t.match(await gateway.eventsOf(cookie), [{ event: 'token_unknown' }], text)
      upstream.behave = issues
      for (let time = 0; time < 2; time += 1) t.equal((await gateway.askFor(of, 'next')).status, 200)
    }
    upstream.behave = says(answerOf(of.answer(tokenOf(778, '2021'))))
    t.match(
      await gateway.askFor(of, 'stray'),
      { status: 502, body: { message: nonsense } },
      `${name}: of another customer`,
    )
  }
})

t.test('a refusal of the account is an error for the operator, with the codes of every DRM', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url)
  const codes = { playready: [-5002], widevine: [-7011], fairplay: [-6006, -6009], ms3: [-2031], bb: [-2031] }
  for (const of of FAMILIES)
    for (const code of codes[of.family.name as keyof typeof codes]) {
      // The families are those of the table.
      upstream.behave = says(answerOf(JSON.stringify({ code, message: `[${code}] No` }), { status: '401 No' }))
      t.match(await gateway.askFor(of, 'no'), { status: 401, body: { code, message: `[${code}] No` } })
      const told = gateway.log.map(line => JSON.parse(line)).findLast(({ level }) => level === 50)
      t.match(told, { drm: of.family.drm, customerId: 9, environment: 'test', errorCode: code })
    }
})

t.test('what the upstream refuses is refused in its words, without the secrets among them', async t => {
  const upstream = await startHostile(t, ({ socket, form }) => {
    const all = [...form.values()].join(' and ')
    const message = `Authentication token invalid: ${all} ${all.toUpperCase()}`
    socket.write(answerOf(JSON.stringify({ code: -2018, message, parameter: 'x' }), { status: '401 No' }))
  })
  const gateway = await startGateway(t, upstream.url)
  const { status, body } = await gateway.ask('echo')
  t.equal(status, 401)
  t.match(body, { code: -2018, message: /^\[-2018\] Authentication token invalid: .*…/, parameter: 'x' })
  const [arrival] = upstream.arrivals
  for (const name of ['customerAuthenticator', 'contentKey']) {
    const secret = arrival?.form.get(name)?.replace(/^\d+,/, '')
    t.match(secret, /^[0-9a-f]{32}$/)
    t.notMatch(JSON.stringify(body).toLowerCase(), secret)
  }
  t.match(await gateway.eventsOf('echo'), [{ event: 'token_refused', error_code: -2018 }])
  t.equal(await gateway.paid(), 0)
  t.match(
    gateway.log.map(line => JSON.parse(line)).find(({ level }) => level === 50),
    {
      customerId: 9,
      environment: 'test',
      errorCode: -2018,
      msg: 'the upstream refuses the account that it is asked for',
    },
    'the operator is told whose authenticator it is',
  )
})

t.test('secrets are found in every spelling, and no text makes the search for them long', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url, { BODY_LIMIT: 262_144 })
  const hex = 'feed0123456789abcdeffeed01234567'
  const escapes = ['\\', '%5c', '%255c', '\\\\', '\\u005c', '&#92;', '&amp;', '+', ' ', 'a', 'ab', 'é']
  const { policy, keys, restrictions } = tokenRequestParameters(
    { keySchema: playreadyKeys },
    playreadySchema(() => 0),
    () => 0,
  )
  const names = [...Object.keys(policy), ...Object.keys(keys), ...Object.keys(restrictions), 'unknown', 'x.1']
  const echoed = (part: string) => JSON.stringify({ code: -2005, message: `it is ${part.slice(0, 30_000)} there` })
  for (const repeated of escapes)
    for (const [times, asked] of [
      [40, names],
      [20_000 / repeated.length, ['unknown']],
    ] as const) {
      const text = hex + repeated.repeat(times)
      upstream.behave = says(answerOf(echoed(text + text.slice(0, -3)), { status: '400 No' }))
      const answers = await Promise.all(asked.map(name => gateway.ask('long', { [name]: `${text}x` })))
      t.ok(
        answers.every(({ status }) => status === 400),
        `${times} of ${repeated}`,
      )
    }

  const secret = `${hex} + "ü" \\ & %`
  for (const [how, spelled] of [
    ['as it is', secret],
    ['in capitals', secret.toUpperCase()],
    ['in a URL', encodeURIComponent(secret)],
    ['in a form', new URLSearchParams([['', secret]]).toString().slice(1)],
    ['in a URL in a form', encodeURIComponent(encodeURIComponent(secret))],
    ['in JSON', JSON.stringify(secret).slice(1, -1)],
    ['in JSON in JSON', JSON.stringify(JSON.stringify(secret)).slice(3, -3)],
    ['by code', Array.from(secret, one => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')],
    ['on a page', Array.from(secret, one => `&#${one.charCodeAt(0)};`).join('')],
    ['on a page, by name', secret.replaceAll('&', '&amp;').replaceAll('"', '&quot;')],
    [
      'in a URL on a page',
      Array.from(encodeURIComponent(secret), one => `&#x${one.charCodeAt(0).toString(16)};`).join(''),
    ],
  ] as const) {
    upstream.behave = says(answerOf(JSON.stringify({ code: -2005, message: `No ${spelled}!` }), { status: '400 No' }))
    t.match(await gateway.ask('spelled', { secret }), { body: { message: '[-2005] No …!' } }, how)
  }
})

t.test('a connection that answers with another customer’s token is not used again', async t => {
  const another = says(answerOf(issuedBody(tokenOf(778, '2015'))))
  const upstream = await startHostile(t, another)
  const gateway = await startGateway(t, upstream.url)
  t.equal((await gateway.ask('before')).status, 200, 'no token has shown yet that the number is the authenticator’s')
  upstream.behave = says(answerOf(issuedBody(tokenOf(777, '2015'))))
  t.equal((await gateway.ask('own')).status, 200)
  upstream.behave = another
  t.equal((await gateway.ask('first')).status, 502)
  upstream.behave = issues
  t.equal((await gateway.ask('second')).status, 200)
  t.equal((await gateway.ask('third')).status, 200)
  t.same(
    upstream.arrivals.map(({ before }) => before),
    [0, 1, 2, 0, 1],
  )
  t.match(gateway.log.join('\n'), '"failure":"no answer","reason":"ANOTHER_CUSTOMER"')
})

t.test('the log names a token by its UUID where its style has one, in either alphabet', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url)
  const [older, newer] = [tokenOf(777, '2015'), tokenOf(777, '2021')]
  const inBase64 = Buffer.from(newer, 'base64url').toString('base64')
  t.not(inBase64, newer)
  for (const [cookie, token, id] of [
    ['of 2015', older, older.slice(16, 32)],
    ['of 2021', newer, '00112233-4455-6677-8899-aabbccddeeff'],
    ['of 2021 in base64', inBase64, '00112233-4455-6677-8899-aabbccddeeff'],
    ['of another style', 'b'.repeat(200), 'b'.repeat(16)],
  ] as const) {
    upstream.behave = says(answerOf(issuedBody(token)))
    t.match(await gateway.ask(cookie), { status: 200, body: { token } })
    t.match(await gateway.eventsOf(cookie), [{ event: 'token_issued', token_id: id }], cookie)
  }
})

t.test('a refusal keeps its code, status and text, in whatever form the upstream writes it', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url)
  const text = 'Insufficient tokens available'
  const page = `<html><head><title>Error</title><style>p { margin: -2000 }</style></head><body><h1>-2019</h1><p>${text}</p></body></html>`
  for (const [form, body, type, message] of [
    ['the service’s own', JSON.stringify({ code: -2019, message: `[-2019] ${text}` }), 'application/json', text],
    ['an older one', JSON.stringify({ errorCode: -2019, errorMessage: text }), 'application/json', text],
    ['a page', page, 'text/html', text],
    ['a page that says it twice', page.replace(text, `[-2019] ${text}`), 'text/html', text],
    ['a page with the code last', `<p>${text} (-2019)</p>`, 'text/html', `${text} (-2019)`],
  ] as const) {
    upstream.behave = says(answerOf(body, { status: '400 Bad Request', type }))
    const { status, body: answered } = await gateway.ask(form)
    t.match({ status, ...answered }, { status: 400, code: -2019, message: `[-2019] ${message}` }, form)
    t.match(await gateway.eventsOf(form), [{ event: 'token_refused', error_code: -2019 }], form)
  }
  t.equal(await gateway.paid(), 0)
})

t.test('an upstream that says when to ask again', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url)
  const limit = { status: '429 Too Many Requests', type: 'text/html' }
  const json = JSON.stringify({ code: 429, message: 'Too many requests of this account: 2 a minute' })
  const down = answerOf(refusal(-2030), { status: '503 Down', headers: 'retry-after: 30\r\n' })
  for (const [name, answer, status, code, retryAfter, event] of [
    ['page', answerOf(html, { ...limit, headers: 'Retry-After: 40\r\n' }), 429, -2030, '40', 'token_refused'],
    ['json', answerOf(json, { ...limit, headers: 'retry-after: 86400\r\n' }), 429, 429, '86400', 'token_refused'],
    ['down', down, 503, -2030, '30', 'token_unknown'],
  ] as const) {
    upstream.behave = says(answer)
    t.match(await gateway.ask(name), { status, retryAfter, body: { code } }, name)
    t.match(await gateway.eventsOf(name), [{ event, error_code: code }], name)
  }
  t.equal(await gateway.paid(), 1, 'the one that nobody knows of')
  t.equal(upstream.arrivals.length, 3, 'none was sent again')
  for (const said of ['86401', '-1', '1.5', '1e3', '0x10', 'soon', '', '1, 2', '1\r\nretry-after: 2']) {
    upstream.behave = says(answerOf(html, { ...limit, headers: `retry-after: ${said}\r\n` }))
    t.match(await gateway.ask('nonsense'), { status: 429, retryAfter: null }, said)
  }
  t.match(gateway.log.join('\n'), '"failure":"too many requests","reason":"HTTP_429"')
  for (let asked = 0; asked < 20; asked++) await gateway.ask('too many')
  upstream.behave = issues
  t.equal((await gateway.ask('next')).status, 200, 'others are not shut out')
})

t.test('statuses that an upstream invents share one series of the metrics', async t => {
  const upstream = await startHostile(t, issues)
  const gateway = await startGateway(t, upstream.url)
  for (const status of [400, 418, 430, 499, 555, 599]) {
    upstream.behave = says(answerOf(refusal(-2019), { status: `${status} Odd` }))
    t.equal((await gateway.ask('viewer')).status, status)
  }
  const metrics = (await (await fetch(`${gateway.url}/metrics`)).text()).split('\n')
  const counts = metrics.filter(line =>
    /^expressplay_http_request_duration_seconds_count\{route="\/hms\/pr\/token"/.test(line),
  )
  t.same(
    counts.map(line => /status="(\w+)"/.exec(line)?.[1]).sort(),
    ['400', '418', '499', 'other'],
    'what is none of HTTP shares one, but for 499: a caller that is gone',
  )
})

t.test('error codes that an upstream invents share one series of the metrics', async t => {
  let code = 0
  const refuses: Behaviour = arrival => says(answerOf(refusal(code), { status: '400 Bad' }))(arrival)
  const upstream = await startHostile(t, refuses)
  const gateway = await startGateway(t, upstream.url, await entitlementSettings(t))
  const ask = await askerOf(t, gateway)
  for (code of [-4022, -7001, 7002, 2147483647, -2147483648, 999, -4022]) {
    t.match(await gateway.ask('viewer'), { status: 400, body: { code } })
    t.match(await ask(), { error: code })
  }
  const metrics = (await (await fetch(`${gateway.url}/metrics`)).text()).split('\n')
  t.same(metrics.filter(line => line.startsWith('expressplay_tokens_refused_total{')).sort(), [
    'expressplay_tokens_refused_total{drm="playready",code="-4022"} 2',
    'expressplay_tokens_refused_total{drm="playready",code="other"} 5',
  ])
  t.same(metrics.filter(line => line.startsWith('expressplay_entitlements_total{')).sort(), [
    'expressplay_entitlements_total{type="1",error="-4022"} 2',
    'expressplay_entitlements_total{type="1",error="other"} 5',
  ])
})
