import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import t, { type Test } from 'tap'
import {
  type DenialReason,
  documentedDenials,
  EntitlementClient,
  type EntitlementClientOptions,
  type EntitlementQuestion,
} from '../../src/entitlement/client/index.js'
import { documentedRefusals } from '../../src/errors/entitlement-refusal.js'
import { TestAuthority } from './certificates.js'
import { type Answering, denies, type Peer, says, startPeer, TOKEN_URL } from './peer.js'

const contentID = '3f2504e0-4f89-11d3-9a0c-0305e82c3301'

function clientOf(
  t: Test,
  { url, identity }: Peer,
  options: Partial<EntitlementClientOptions> = {},
): EntitlementClient {
  const client = new EntitlementClient({ url, ...identity, ...options })
  t.teardown(() => client.close())
  return client
}

function numberOf(reason: DenialReason): number | undefined {
  return documentedDenials.find(denial => denial.reason === reason)?.number
}

t.test('what is allowed, with the token URL as it was written', async t => {
  const peer = await startPeer(t, says())
  const client = clientOf(t, peer)
  t.same(await client.ask({ contentID }), { isAllowed: true, epTokenURL: TOKEN_URL })
  t.match(peer.asked[0], {
    version: 1,
    requestType: 1,
    contentID,
    messageID: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  })
  t.notOk('customerCookie' in (peer.asked[0] ?? {}))
  const messageID = '00000000-0000-4000-8000-000000000001'
  t.match(await client.ask({ contentID, requestType: 3, customerCookie: 'viewer-4711', messageID }), {
    isAllowed: true,
  })
  t.same(peer.asked[1], { messageID, version: 1, requestType: 3, contentID, customerCookie: 'viewer-4711' })
})

t.test('the path, the ids and the authority are what the options say', async t => {
  const paths: unknown[] = []
  const peer = await startPeer(t, (asked, reply, request) => {
    paths.push(`${request.method} ${request.url}`)
    says()(asked, reply, request)
  })
  const newId = () => '00000000-0000-4000-8000-00000000000a'
  await clientOf(t, peer, { newId }).ask({ contentID })
  t.equal(peer.asked[0]?.messageID, newId())
  const elsewhere = clientOf(t, peer, { url: new URL('/rights/entitlement/', peer.url) })
  t.match(await elsewhere.ask({ contentID }), { isAllowed: true })
  t.same(paths, ['POST /entitlement', 'POST /rights/entitlement/'])
})

t.test('a token URL of any DRM, of one that can be asked for', async t => {
  const peer = await startPeer(t, says())
  const client = clientOf(t, peer)
  for (const epTokenURL of [
    'https://wv.example.com/hms/wv/rights/?ExpressPlayToken=AQADE',
    'https://ms3.example.com:8443/hms/ms3/rights/?b=AQADE',
    'ms3://ms3.example.com:8443/hms/ms3/rights/?b=AQADE#https%3A%2F%2Fmedia.example.com%2F',
  ]) {
    peer.answer = says({ epTokenURL })
    t.same(await client.ask({ contentID, drm: 'marlin' }), { isAllowed: true, epTokenURL })
    t.match(peer.asked.at(-1), { drm: 'marlin' })
  }
  await client.ask({ contentID })
  t.notOk('drm' in (peer.asked.at(-1) ?? {}), 'a service of others gets no field of ours')
})

t.test('connections are kept', async t => {
  const peer = await startPeer(t, says())
  const client = clientOf(t, peer)
  for (let count = 0; count < 20; count += 1) t.match(await client.ask({ contentID }), { isAllowed: true })
  t.ok(peer.connections() <= 2, 'a second one, where a question comes right behind an answer')
  const narrow = clientOf(t, peer, { connections: 2 })
  const answers = await Promise.all(Array.from({ length: 50 }, () => narrow.ask({ contentID })))
  t.ok(answers.every(({ isAllowed }) => isAllowed))
  t.equal(new Set(peer.asked.map(({ messageID }) => messageID)).size, 70, 'each message has an id of its own')
  t.ok(peer.connections() <= 4)
})

t.test('what the service denies, in its words as far as they can be shown', async t => {
  const peer = await startPeer(t, says())
  const client = clientOf(t, peer)
  const texts: [given: string, shown: string][] = [
    ['The viewer may not have this content', 'The viewer may not have this content'],
    ['  two\r\nlines\u0000 \u001b[31mred\u202e\u200b\ufeff ', 'two lines [31mred'],
    ['Größe — ✓ 😀', 'Größe — ✓ 😀'],
    ['😀'.repeat(300), '😀'.repeat(200)],
    ['\ud800half', 'half'],
    ['', 'The entitlement service does not allow it'],
    ['\n', 'The entitlement service does not allow it'],
  ]
  for (const [given, shown] of texts) {
    peer.answer = denies(1102, given)
    t.same(await client.ask({ contentID }), { isAllowed: false, error: 1102, errorText: shown })
  }
  peer.answer = denies(0, 'No')
  t.same(await client.ask({ contentID }), { isAllowed: false, error: numberOf('noReason'), errorText: 'No' })
  peer.answer = denies(-2031, 'Service Account Disabled')
  t.match(await client.ask({ contentID }), { error: -2031 })
  peer.answer = says({ isAllowed: false, error: 7, errorText: 'no', epTokenURL: TOKEN_URL })
  t.same(await client.ask({ contentID }), { isAllowed: false, error: 7, errorText: 'no' }, 'whatever URL it has')
  for (const status of [400, 403, 500, 302]) {
    peer.answer = withStatus(status, denies(1001, 'The body is not JSON'))
    t.same(
      await client.ask({ contentID }),
      { isAllowed: false, error: 1001, errorText: 'The body is not JSON' },
      `${status}`,
    )
  }
})

t.test('every answer that does not clearly allow it is denied', async t => {
  const peer = await startPeer(t, says())
  const client = clientOf(t, peer)
  for (const [title, answer, reason] of wrongAnswers) {
    peer.answer = answer
    const { number, text } = documentedDenials.find(denial => denial.reason === reason) ?? {}
    t.match(
      await client.ask({ contentID }),
      { isAllowed: false, error: number, errorText: text, failure: { reason } },
      title,
    )
  }
  peer.answer = says()
  t.match(await client.ask({ contentID }), { isAllowed: true }, 'and the next is believed again')
})

/** Sends a text as it is. */
function sends(body: string | Buffer): Answering {
  return (_asked, reply) => void reply.end(body)
}

function withStatus(status: number, answering: Answering, headers: Record<string, string> = {}): Answering {
  return (asked, reply, request) => answering(asked, reply.writeHead(status, headers), request)
}

/** The documented answer as an object that may be anything. */
function withFields(change: (answer: Record<string, unknown>) => unknown): Answering {
  return ({ messageID, version }, reply) => {
    const answer = { messageID, version, isAllowed: true, epTokenURL: TOKEN_URL, error: 0, errorText: '' }
    reply.end(JSON.stringify(change(answer)))
  }
}

const fields = ['messageID', 'version', 'isAllowed', 'epTokenURL', 'error', 'errorText']
const wrongAnswers: [title: string, answer: Answering, reason: DenialReason][] = [
  ['another message', says({ messageID: '00000000-0000-4000-8000-000000000002' }), 'otherMessage'],
  ['no message', says({ messageID: '' }), 'otherMessage'],
  [
    'the same in capitals',
    (asked, ...rest) => says({ messageID: asked.messageID.toUpperCase() })(asked, ...rest),
    'otherMessage',
  ],
  ['another message, denied', says({ messageID: 'x', isAllowed: false, error: 5 }), 'otherMessage'],
  ['version 2', says({ version: 2 }), 'higherVersion'],
  ['version 1.5', says({ version: 1.5 }), 'notDocumented'],
  ['allowed without a URL', says({ epTokenURL: '' }), 'noTokenUrl'],
  ['a URL without a host', says({ epTokenURL: '/playready?ExpressPlayToken=AQADE' }), 'noTokenUrl'],
  ['a URL of another kind', says({ epTokenURL: 'javascript:0?ExpressPlayToken=AQADE' }), 'noTokenUrl'],
  ['a URL without a token', says({ epTokenURL: 'https://pr.example.com/' }), 'noTokenUrl'],
  ['an MS3 URL with an empty token', says({ epTokenURL: 'https://ms3.example.com/?b=' }), 'noTokenUrl'],
  ['a URL with an empty token', says({ epTokenURL: 'https://pr.example.com/?ExpressPlayToken=' }), 'noTokenUrl'],
  ['no body', sends(''), 'notDocumented'],
  ['HTML', sends('<!doctype html><title>Welcome</title>'), 'notDocumented'],
  ['half an answer', sends('{"messageID":'), 'notDocumented'],
  ['true', sends('true'), 'notDocumented'],
  ['null', sends('null'), 'notDocumented'],
  ['a list', withFields(answer => [answer]), 'notDocumented'],
  ['no text at all', sends(Buffer.from([0xff, 0xfe, 0x00])), 'notDocumented'],
  ['deep nesting', sends('['.repeat(60_000)), 'notDocumented'],
  ['isAllowed as a text', withFields(answer => ({ ...answer, isAllowed: 'true' })), 'notDocumented'],
  ['isAllowed as a number', withFields(answer => ({ ...answer, isAllowed: 1 })), 'notDocumented'],
  ['error as a text', withFields(answer => ({ ...answer, error: '0' })), 'notDocumented'],
  ['an error beyond 32 bits', says({ isAllowed: false, error: 2 ** 31 }), 'notDocumented'],
  ['a field that nobody knows', withFields(answer => ({ ...answer, unless: 'paid' })), 'notDocumented'],
  ...fields.map((name): [string, Answering, DenialReason] => [
    `no ${name}`,
    withFields(answer => ({ ...answer, [name]: undefined })),
    'notDocumented',
  ]),
  ['400 without a decision', withStatus(400, sends('{"error":"bad"}')), 'notDocumented'],
  ...[201, 203, 301, 307, 400, 403, 500, 503].map((status): [string, Answering, DenialReason] => [
    `allowed with status ${status}`,
    withStatus(status, says(), { location: '/entitlement' }),
    'status',
  ]),
  ['204', withStatus(204, sends('')), 'status'],
  ['404 in HTML', withStatus(404, sends('<h1>Not Found</h1>')), 'status'],
  ['503', withStatus(503, sends('')), 'status'],
  ['a redirection', withStatus(307, sends(''), { location: '/entitlement' }), 'status'],
  ['a body of 65 KiB', says({ errorText: 'x'.repeat(65 * 1024) }), 'tooLarge'],
  [
    '65 KiB in pieces, without a length',
    (_asked, reply) => void reply.write('x', () => reply.end('x'.repeat(65 * 1024))),
    'tooLarge',
  ],
  ['headers of 80 KB', (_asked, reply) => void reply.setHeader('x-large', 'x'.repeat(80_000)).end('{}'), 'tooLarge'],
  ['a connection that breaks before the answer', (_asked, reply) => void reply.destroy(), 'unreachable'],
  [
    'a connection that breaks in the answer',
    (_asked, reply) => void reply.writeHead(200, { 'content-length': 100 }).write('{"mess', () => reply.destroy()),
    'unreachable',
  ],
  ['what is no HTTP', (_asked, reply) => void reply.socket?.end('220 ready\r\n\r\n'), 'unreachable'],
]

t.test('a redirection is not followed', async t => {
  const peer = await startPeer(t, withStatus(307, sends(''), { location: '/entitlement' }))
  await clientOf(t, peer).ask({ contentID })
  t.equal(peer.asked.length, 1)
})

t.test('65,536 bytes are not too many', async t => {
  const peer = await startPeer(t, ({ messageID, version }, reply) => {
    const answer = { messageID, version, isAllowed: true, epTokenURL: TOKEN_URL, error: 0, errorText: '' }
    reply.end(JSON.stringify(answer).padEnd(65_536))
  })
  t.match(await clientOf(t, peer).ask({ contentID }), { isAllowed: true })
})

t.test('who does not answer in time is not waited for', async t => {
  const silent: Answering[] = [
    () => {},
    (_asked, reply) => void reply.writeHead(200).flushHeaders(),
    (_asked, reply) => {
      // A byte now and then, so that the connection is never idle.
      const timer = setInterval(() => reply.write(' '), 10)
      reply.on('close', () => clearInterval(timer))
    },
  ]
  const peer = await startPeer(t, says())
  const client = clientOf(t, peer, { timeout: 150 })
  for (const answer of silent) {
    peer.answer = answer
    t.match(await client.ask({ contentID }), { isAllowed: false, error: numberOf('late') })
  }
  peer.answer = () => {}
  const one = clientOf(t, peer, { timeout: 1000, connections: 1 })
  const answers = await Promise.all(Array.from({ length: 20 }, () => one.ask({ contentID })))
  t.ok(
    answers.every(answer => !answer.isAllowed && answer.error === numberOf('late')),
    'also who waits for a connection',
  )
  const before = peer.connections()
  peer.answer = says()
  t.match(await one.ask({ contentID }), { isAllowed: true })
  t.equal(peer.connections(), before + 1, 'who gave up while waiting costs no connection')
})

t.test('a server that takes connections and says nothing', async t => {
  const server = createServer(() => {})
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', socket => void sockets.add(socket))
  const { port } = server.address() as AddressInfo // of a TCP server
  const client = new EntitlementClient({ url: `https://127.0.0.1:${port}`, timeout: 150 })
  t.match(await client.ask({ contentID }), { isAllowed: false, error: numberOf('late') })
  await client.close()
  for (const socket of sockets) socket.destroy()
  server.close()
  await once(server, 'close')
  const gone = new EntitlementClient({ url: `https://127.0.0.1:${port}` })
  t.match(await gone.ask({ contentID }), {
    error: numberOf('unreachable'),
    failure: { reason: 'unreachable', detail: 'ECONNREFUSED' },
  })
  await gone.close()
})

t.test('a service with a wrong certificate is told nothing', async t => {
  const peer = await startPeer(t, says())
  const foreign = await TestAuthority.create('Another authority')
  const untrusted = { isAllowed: false, error: numberOf('untrusted') }
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
  })
  t.match(await clientOf(t, peer, { ca: foreign.cert }).ask({ contentID }), untrusted, 'of another authority')
  t.match(await clientOf(t, peer, { ca: undefined }).ask({ contentID }), untrusted, 'of none that Node knows')
  const wrong: [title: string, certificate: Parameters<TestAuthority['issue']>[0]][] = [
    ['expired', { usage: 'server', notAfter: new Date(Date.now() - 60_000) }],
    ['for another host', { usage: 'server', names: ['DNS:elsewhere.example.com'] }],
    ['for clients only', { usage: 'client', names: ['IP:127.0.0.1'] }],
  ]
  for (const [title, certificate] of wrong) {
    const peer = await startPeer(t, says(), { certificate: certificate ?? {} })
    t.match(await clientOf(t, peer).ask({ contentID }), untrusted, title)
    t.equal(peer.asked.length, 0)
  }
  t.equal(peer.asked.length, 0)
})

t.test('a service that does not take our certificate', async t => {
  const peer = await startPeer(t, says())
  const foreign = await (await TestAuthority.create('Another authority')).issue({ usage: 'client' })
  const unreachable = { isAllowed: false, error: numberOf('unreachable') }
  t.match(await clientOf(t, peer, foreign).ask({ contentID }), unreachable)
  t.match(await clientOf(t, peer, { cert: undefined, key: undefined }).ask({ contentID }), unreachable)
  t.equal(peer.asked.length, 0)

  const badCertificate = Buffer.from([0x15, 3, 3, 0, 2, 2, 42])
  const refusing = createServer(socket => void socket.once('data', () => socket.end(badCertificate)))
  await once(refusing.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => void refusing.close())
  const { port } = refusing.address() as AddressInfo // of a TCP server
  const failure = { reason: 'unreachable', detail: /^ERR_SSL_.*_ALERT_BAD_CERTIFICATE$/ }
  t.match(await clientOf(t, peer, { url: `https://127.0.0.1:${port}` }).ask({ contentID }), { ...unreachable, failure })
})

t.test('a closed client denies', async t => {
  const peer = await startPeer(t, () => {})
  const client = clientOf(t, peer)
  let underWay: unknown
  void client.ask({ contentID }).then(decision => {
    underWay = decision
  })
  while (peer.asked.length === 0) await new Promise(setImmediate)
  await client.close()
  const closed = { isAllowed: false, error: numberOf('closed') }
  t.match(underWay, closed, 'before the client is closed')
  t.match(await client.ask({ contentID }), closed)
  await client.close()
})

t.test('wrong arguments are a TypeError that names them and quotes no key', async t => {
  const peer = await startPeer(t, says())
  const { url, identity } = peer
  const { cert, key, ca } = identity
  const other = await (await TestAuthority.create()).issue()
  const options: [options: EntitlementClientOptions, message: RegExp][] = [
    [{ url: 'http://127.0.0.1' }, /^url must be an https URL/],
    [{ url: 'entitlement.example.com' }, /^url /],
    [{ url: 'https://user:secret@127.0.0.1' }, /^url /],
    [{ url: 'https://127.0.0.1/?a=b' }, /^url /],
    [{ url, cert }, /^cert and key must be given together/],
    [{ url, key }, /^cert and key must be given together/],
    [{ url, cert: '', key: '' }, /^cert and key must be a certificate/],
    [{ url, cert: key, key: cert }, /^cert and key must be a certificate/],
    [{ url, cert, key: other.key }, /^cert and key must be a certificate/],
    [{ url, ca: '' }, /^ca must be certificates in PEM/],
    [{ url, ca: 'authority' }, /^ca must be certificates in PEM/],
    [{ url, ca, timeout: 0 }, /^timeout must be a whole number/],
    [{ url, ca, timeout: 1.5 }, /^timeout must be a whole number/],
    [{ url, ca, connections: Number.NaN }, /^connections must be a whole number/],
  ]
  for (const [given, message] of options)
    t.throws(() => new EntitlementClient(given), { name: 'TypeError', message, cause: undefined })
  const client = clientOf(t, peer)
  const questions: [question: Partial<EntitlementQuestion>, message: RegExp][] = [
    [{ contentID: 'film-7' }, /^contentID must be a GUID/],
    [{ contentID, messageID: '1' }, /^messageID must be a GUID/],
    [{ contentID, drm: 'clearkey' as 'widevine' }, /^drm must be one of playready, widevine/], // as from JavaScript
    [{ contentID, requestType: 4 as 3 }, /^requestType must be 1, 2 or 3/], // a caller without types
    [{ contentID, requestType: 2 }, /^requestType 2 needs a customerCookie/],
    [{ contentID, requestType: 3 }, /^requestType 3 needs a customerCookie/],
    [{ contentID, customerCookie: '' }, /^customerCookie must have 1 to 32 characters/],
    [{ contentID, customerCookie: 'x'.repeat(33) }, /^customerCookie /],
  ]
  for (const [question, message] of questions)
    await t.rejects(client.ask({ contentID: '', ...question }), { name: 'TypeError', message })
  await t.rejects(clientOf(t, peer, { newId: () => 'next' }).ask({ contentID }), {
    message: /^messageID must be a GUID/,
  })
  t.equal(peer.asked.length, 0)
})

t.test('every number of its own is documented, and none is one of our service', async t => {
  const page = readFileSync('docs/entitlement-client.md', 'utf8')
  for (const { number, text } of documentedDenials) t.ok(page.includes(`| ${number} | ${text} |`), text)
  const taken = documentedRefusals.map(({ number }) => number)
  t.notOk(documentedDenials.some(({ number }) => taken.includes(number)))
})

t.test('the package offers it by itself', async t => {
  const name: string = 'expressplay-token-backend/entitlement-client'
  const offered = await import(name) // of what has been built
  t.same(Object.keys(offered).sort(), ['EntitlementClient', 'documentedDenials'])
  t.same(offered.documentedDenials, documentedDenials)
})
