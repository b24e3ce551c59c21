import { createHmac } from 'node:crypto'
import t from 'tap'
import { NOON } from '../harness.js'
import { eventually } from '../ledger/load.js'
import { tokenIn } from './service.js'
import {
  type Behaviour,
  CONTENT,
  CONTENT_KEY_OF_ENTRY,
  entry,
  failureIn,
  SECRET,
  says,
  startEntitled,
} from './webhook-customer.js'

const OTHER = '0f8fad5b-d9cb-469f-a165-70867728950e'

t.test('the customer is asked in JSON, and whose question it is can be verified', async t => {
  const { customer, ask } = await startEntitled(t)
  await ask()
  await ask({ requestType: 2, customerCookie: 'viewer "4711" äöü', contentID: CONTENT.toUpperCase() })
  const [first, second] = customer.arrivals
  t.match(first, { method: 'POST', url: '/may-they', headers: { 'content-type': 'application/json' } })
  t.strictSame({ ...first?.question, requestID: '' }, { requestID: '', contentID: CONTENT, requestType: 1 })
  t.strictSame(
    { ...second?.question, requestID: '' },
    { requestID: '', contentID: CONTENT, requestType: 2, customerCookie: 'viewer "4711" äöü' },
  )
  t.match(first?.question.requestID, /^[0-9a-f]{32}$/)
  t.not(first?.question.requestID, second?.question.requestID)
  for (const { headers, body } of customer.arrivals) {
    const expected = createHmac('sha256', SECRET)
      .update(`${NOON / 1000}.${body}`)
      .digest('hex')
    t.equal(headers['x-entitlement-signature'], `t=${NOON / 1000},v1=${expected}`)
  }
  t.equal(customer.connections, 1, 'the connection is kept')
})

t.test('a signature has the time of its question', async t => {
  let now = NOON
  const { customer, ask } = await startEntitled(t, { now: () => now })
  for (now of [NOON + 999, NOON + 1000]) await ask()
  t.match(
    customer.arrivals.map(({ headers }) => headers['x-entitlement-signature']),
    [new RegExp(`^t=${NOON / 1000},`), new RegExp(`^t=${NOON / 1000 + 1},`)],
  )
})

t.test('a content that the customer tells is granted as it says', async t => {
  const { server, customer, ask } = await startEntitled(t)
  const decision = await ask({ customerCookie: 'viewer' })
  t.match(decision, { isAllowed: true, error: 0, errorText: '' })
  const token = new URL(decision.epTokenURL).searchParams.get('ExpressPlayToken') ?? ''
  t.match(server.openToken(token), {
    customerId: 201722,
    keys: [
      {
        kid: 'b366360da82e9c6e0b0984002a362cf2',
        contentKey: CONTENT_KEY_OF_ENTRY,
        policy: { rightsType: 'BuyToOwn', analogVideoOPL: 150 },
      },
    ],
  })
  customer.behave = says({ isAllowed: true, content: entry({ viewers: ['another'] }) })
  t.match(await ask({ customerCookie: 'viewer' }), { isAllowed: false, error: 1102 }, 'its own rules hold')
  customer.behave = says({ isAllowed: true, content: entry({ until: new Date(NOON).toISOString() }) })
  t.match(await ask(), { isAllowed: false, error: 1103 })
  customer.behave = says({ isAllowed: true, content: entry({ contentID: CONTENT.toUpperCase() }) })
  t.match(await ask(), { isAllowed: true })
})

t.test('a DRM that the client asks for is in the question, and each has its own answer', async t => {
  const licences = [
    { drm: 'widevine', policy: { securityLevel: 3 } },
    { drm: 'marlin', policy: {} },
  ]
  const content = entry({ policy: undefined, licences })
  const parts = { behave: says({ isAllowed: true, content }), settings: { ENTITLEMENT_WEBHOOK_CACHE: 60 } }
  const { server, customer, ask } = await startEntitled(t, parts)
  const tokens = []
  for (const drm of ['marlin', undefined, 'widevine', 'marlin'])
    tokens.push(server.openToken(tokenIn(await ask({ drm })))?.drm)
  t.same(tokens, ['marlin', 'widevine', 'widevine', 'marlin'])
  t.same(
    customer.arrivals.map(({ question }) => question.drm),
    ['marlin', undefined, 'widevine'],
    'the last one is answered from the cache',
  )
  t.match(await ask({ drm: 'playready' }), { isAllowed: false, error: 1109 })
})

t.test('without a content the catalogue says what it is', async t => {
  const catalogue = { contents: [entry({ viewers: ['viewer'] })] }
  const folder = t.testdir({ 'catalogue.json': JSON.stringify(catalogue) })
  const settings = { CATALOGUE_FILE: `${folder}/catalogue.json` }
  const { customer, ask } = await startEntitled(t, { behave: says({ isAllowed: true }), settings })
  t.match(await ask({ customerCookie: 'viewer' }), { isAllowed: true })
  t.match(await ask({ customerCookie: 'another' }), { isAllowed: false, error: 1102 }, 'its rules hold')
  t.match(await ask({ contentID: OTHER }), { isAllowed: false, error: 1101 })
  t.equal(customer.arrivals.length, 3, 'the customer is asked even about what nobody knows')
  customer.behave = says({ isAllowed: false })
  t.match(await ask({ customerCookie: 'viewer' }), { isAllowed: false, error: 1106 })
})

t.test('a denial tells the client why, in one line of characters that can be seen', async t => {
  const { customer, ask } = await startEntitled(t)
  const denials = [
    [{}, 'The customer does not allow it'],
    [{ reason: '' }, 'The customer does not allow it'],
    [{ reason: ' \u0000\u200b\n' }, 'The customer does not allow it'],
    [{ reason: 'The subscription has ended.' }, 'The customer does not allow it: The subscription has ended.'],
    [{ reason: ' \ta\r\n\u0007b\u202ec\u00a0d ' }, 'The customer does not allow it: a b c d'],
    [{ reason: 'Das Abo läuft nicht mehr 😀' }, 'The customer does not allow it: Das Abo läuft nicht mehr 😀'],
    [{ reason: 'x'.repeat(201) }, `The customer does not allow it: ${'x'.repeat(200)}`],
    [{ reason: `x${'😀'.repeat(300)}` }, `The customer does not allow it: x${'😀'.repeat(199)}`],
    [{ reason: 'no', content: entry() }, 'The customer does not allow it: no'],
  ] as const
  for (const [told, errorText] of denials) {
    customer.behave = says({ isAllowed: false, ...told })
    const decision = await ask()
    t.match(decision, { isAllowed: false, epTokenURL: '', error: 1106 })
    t.equal(decision.errorText, errorText)
  }
})

const MARK = 'not-for-the-log-4711'

const failures: readonly (readonly [what: string, behave: Behaviour, failure: string, reason?: string])[] = [
  ['201', withStatus(201), 'wrong status', 'HTTP_201'],
  ['204', response => void response.writeHead(204).end(), 'wrong status', 'HTTP_204'],
  ['302', response => void response.writeHead(302, { location: '/may-they' }).end(), 'wrong status', 'HTTP_302'],
  ['307', response => void response.writeHead(307, { location: '/may-they' }).end(), 'wrong status', 'HTTP_307'],
  ['404', withStatus(404), 'wrong status', 'HTTP_404'],
  ['500', withStatus(500), 'wrong status', 'HTTP_500'],
  ['nothing', response => void response.end(), 'not JSON'],
  ['no JSON', response => void response.end(`<p>${MARK}</p>`), 'not JSON'],
  ['half of JSON', response => void response.end('{"isAllowed":true'), 'not JSON'],
  ['Latin-1', response => void response.end('{"isAllowed":true,"reason":"é"}', 'latin1'), 'not JSON'],
  ['compressed', response => void response.end(Buffer.from([0x1f, 0x8b, 0x08, 0x00])), 'not JSON'],
  [
    'yes and no',
    response => void response.end('{"isAllowed":false,"isAllowed":true}'),
    'not JSON',
    'has a name twice in one object',
  ],
  [
    'yes and no, spelled differently',
    response => void response.end('{"isAllowed":false,"is\\u0041llowed":true}'),
    'not JSON',
    'has a name twice in one object',
  ],
  ['a list', says([{ isAllowed: true }]), 'wrong schema', 'the body'],
  ['null', says(null), 'wrong schema', 'the body'],
  ['true', says(true), 'wrong schema', 'the body'],
  ['an empty object', says({}), 'wrong schema', 'isAllowed'],
  ['a text for a truth', says({ isAllowed: 'true' }), 'wrong schema', 'isAllowed'],
  ['a number for a truth', says({ isAllowed: 1 }), 'wrong schema', 'isAllowed'],
  ['another case', says({ IsAllowed: true }), 'wrong schema', 'isAllowed'],
  ['a rule misspelled', says({ isAllowed: true, contents: MARK }), 'wrong schema', 'contents'],
  ['a reason that is no text', says({ isAllowed: false, reason: [MARK] }), 'wrong schema', 'reason'],
  ['a second too many', says({ isAllowed: true, cacheSeconds: 86_401 }), 'wrong schema', 'cacheSeconds'],
  ['less than no time', says({ isAllowed: true, cacheSeconds: -1 }), 'wrong schema', 'cacheSeconds'],
  ['half a second', says({ isAllowed: true, cacheSeconds: 0.5 }), 'wrong schema', 'cacheSeconds'],
  ['no content', says({ isAllowed: true, content: null }), 'wrong schema', 'content'],
  ['a content without keys', says({ isAllowed: true, content: entry({ keys: [] }) }), 'wrong schema', 'content.keys'],
  [
    'a content with a wrong key',
    says({
      isAllowed: true,
      content: entry({ keys: [{ kid: 'b366360da82e9c6e0b0984002a362cf2', contentKey: MARK }] }),
    }),
    'wrong schema',
    'content.keys[0].contentKey',
  ],
  [
    'a policy of a file that it is not in',
    says({ isAllowed: true, content: entry({ policy: MARK }) }),
    'wrong schema',
    'content.policy',
  ],
  ['another content', says({ isAllowed: true, content: entry({ contentID: OTHER }) }), 'other content'],
  ['a byte too many', inAllBytes(262_145), 'too large'],
  ['no end', withoutEnd, 'too large'],
  ['a hang-up before the answer', response => void response.socket?.destroy(), 'connection lost', 'UND_ERR_SOCKET'],
  ['a hang-up within the answer', broken, 'connection lost', 'UND_ERR_SOCKET'],
  ['something that is not HTTP', response => void response.socket?.end(`${MARK}\r\n\r\n`), 'no answer'],
  ['endless headers', response => void response.writeHead(200, { x: 'x'.repeat(20_000) }).end(), 'too large'],
]

t.test('whatever is not clearly a yes is a no, and the log has a word for it', async t => {
  const { server, customer, ask } = await startEntitled(t)
  server.keepSecret(MARK)
  for (const [what, behave, failure, reason] of failures) {
    customer.behave = behave
    const before = customer.arrivals.length
    const decision = await ask()
    t.match(decision, { isAllowed: false, epTokenURL: '', error: 1107 }, what)
    t.equal(decision.errorText, 'The customer could not be asked', what)
    t.match(failureIn(server), { failure, ...(reason !== undefined && { reason }) }, what)
    t.equal(customer.arrivals.length, before + 1, `${what}: it is asked once`)
  }
  customer.behave = inAllBytes(262_144)
  t.match(await ask(), { isAllowed: true }, 'the largest that is allowed')
})

t.test('an answer that takes too long is none, wherever it stays', async t => {
  const { server, customer, ask } = await startEntitled(t, { settings: { ENTITLEMENT_WEBHOOK_TIMEOUT: 300 } })
  const slow: Behaviour[] = [() => {}, response => void response.write('{"isAllowed":'), dripping]
  for (const behave of slow) {
    let isLetGo = false
    customer.behave = (response, arrival) => {
      response.on('close', () => {
        isLetGo = true
      })
      behave(response, arrival)
    }
    const began = performance.now()
    t.match(await ask(), { isAllowed: false, error: 1107 })
    t.ok(performance.now() - began >= 299)
    t.match(failureIn(server), { failure: 'timed out' })
    await eventually(() => isLetGo, 'the customer hears that nobody waits')
  }
})

function withStatus(status: number): Behaviour {
  return response => void response.writeHead(status).end(JSON.stringify({ isAllowed: true, reason: MARK }))
}

/** A permission in exactly so many bytes. */
function inAllBytes(bytes: number): Behaviour {
  const answer = JSON.stringify({ isAllowed: true, content: entry() })
  return response => void response.end(answer + ' '.repeat(bytes - answer.length))
}

function withoutEnd(response: Parameters<Behaviour>[0]): void {
  const more = () => {
    while (!response.destroyed && response.write(' '.repeat(65_536)));
  }
  response.on('drain', more)
  more()
}

function broken(response: Parameters<Behaviour>[0]): void {
  response.setHeader('content-length', 100)
  response.write('{"isAllowed":true}', () => response.socket?.destroy())
}

/** Each byte comes soon after the one before. */
function dripping(response: Parameters<Behaviour>[0]): void {
  const timer = setInterval(() => response.write(' '), 10)
  response.on('close', () => clearInterval(timer))
}
