import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import t, { type Test } from 'tap'
import { sampleParameters } from '../../src/sample.js'
import { authenticators, startTestServer } from '../harness.js'
import { type Outcome, runCommand } from '../process.js'
import { LOCAL, REAL, startGateway } from '../upstream/gateway.js'

const HEX = /[0-9a-f]{32}/i

/** Every account but the one that asks, whose authenticator comes from standard input. */
const others = [
  ...['--production-authenticator', authenticators.production ?? ''],
  ...(['disabled', 'no-drm', 'never-drm', 'no-balance', 'strict', 'unbound'] as const).flatMap(one => [
    '--account',
    `${one}=${authenticators[one]}`,
  ]),
]

async function verify(t: Test, url: string, ...options: string[]): Promise<Outcome> {
  const outcome = await runCommand(
    t,
    ['verify', '--upstream', url, '--authenticator', '-', ...options],
    {},
    authenticators.own,
  )
  t.notMatch(outcome.stdout + outcome.stderr, HEX, 'neither keys nor authenticators are printed')
  t.notMatch(outcome.stdout + outcome.stderr, /[\w-]{100}/, 'and no token')
  return outcome
}

t.test('verify finds nothing at an emulator, and says what it cost', async t => {
  t.testdir()
  const { url } = await startTestServer(t, { now: Date.now })
  const { code, stdout, stderr } = await verify(t, url, ...others)
  t.equal(stdout, '244 requests, 14 tokens issued. 0 differences in 0 answers.\n')
  t.match(stderr, `Sending 244 requests to ${url}, one at a time. 14 should get a token`)
  t.equal(code, 0)

  const free = await verify(t, url, '--free', '--json')
  t.match(free, { code: 0, stderr: /None should get a token/ })
  const traits = ['production', 'disabled', 'no-drm', 'no-balance']
  const notTried = traits.map(trait => ({ title: String, trait }))
  t.match(JSON.parse(free.stdout), { requests: 222, tokens: 0, differences: [], unanswered: [], notTried })
})

t.test('verify shows exactly what a service does otherwise', async t => {
  t.testdir()
  const { url } = await startTestServer(t, { now: Date.now })
  const changing = await otherwise(t, url, (path, { status, body }) => {
    if (path.includes('cookie=a%00b'))
      return { status, body: body.replaceAll('-2033', '-2005').replace('Invalid', '\\u001b[2J') }
    if (path.includes('kid=%5Ekid1'))
      return { status: 400, body: `{"code":-2018,"message":"no ${authenticators.own}"}` }
    return { status, body }
  })
  const { code, stdout } = await verify(t, changing, ...others)
  const lines = stdout.split('\n').map(line => line.split(/ {2,}/))
  t.strictSame(lines, [
    ['case', 'method', 'what', 'expected', 'got'],
    ['cookie with a control character', 'GET', 'code', '-2033', '-2005'],
    ['cookie with a control character', 'GET', 'text', 'Invalid cookie', '[2J cookie'],
    ['^kid1', 'GET', 'status', '200', '400'],
    ['^kid1', 'GET', 'outcome', 'a token', 'a refusal, -2018, no 201722,…'],
    [''],
    ['244 requests, 13 tokens issued. 4 differences in 2 answers.'],
    [''],
  ])
  t.equal(code, 1)
})

t.test('verify finds nothing at a gateway, when it is told whose tokens there are', async t => {
  t.testdir()
  const upstream = await startTestServer(t, { accounts: [{ id: 777, authenticators: REAL }], now: Date.now })
  const { url } = await startGateway(t, upstream.url, {}, Date.now)
  const asked = ['verify', '--upstream', url, '--authenticator', '-', '--customer', '777']
  const { code, stdout } = await runCommand(t, asked, {}, LOCAL.test)
  t.equal(stdout.split('\n').at(-2), '236 requests, 14 tokens issued. 0 differences in 0 answers.')
  t.equal(code, 0)
})

t.test('verify prints no key and no authenticator, in whatever spelling a service repeats them', async t => {
  t.testdir()
  const { url } = await startTestServer(t, { now: Date.now })
  const { contentKey } = sampleParameters
  const spoken = [authenticators.own, contentKey, authenticators.disabled ?? ''].map(text => text.toUpperCase())
  const encoded = encodeURIComponent(spoken[0] ?? '')
  const telling = await otherwise(t, url, () => ({
    status: 400,
    body: JSON.stringify({ code: -1, message: `${spoken.join(' ')} ${encoded}`, parameter: spoken[1] }),
  }))
  const { code, stdout } = await verify(t, telling, '--free', '--account', `disabled=${authenticators.disabled}`)
  t.match(stdout, /201722,… … 2,… 201722%2C…/)
  t.equal(code, 1)
})

t.test('verify ends when nobody answers, or when it is told nonsense', async t => {
  t.testdir()
  const nobody = await verify(t, await deserted())
  t.equal(nobody.code, 2)
  t.match(nobody.stdout, /no answer to +method +why\n(?:.*ECONNREFUSED.*\n){3}/)
  t.match(nobody.stdout, /^disabled account +--account disabled=<id,hex>$/m)
  t.match(nobody.stdout, /^authenticator of the other environment +--production-authenticator <id,hex>$/m)
  t.match(nobody.stdout, '3 requests, 0 tokens issued.')

  const refused = async (...options: string[]) => {
    const { code, stderr } = await runCommand(t, ['verify', ...options], {}, 'x')
    t.equal(code, 2)
    t.notMatch(stderr, HEX)
    return stderr
  }
  t.match(await refused('--upstream', 'ftp://x'), '--upstream must be')
  t.match(await refused('--upstream', 'http://x'), '--authenticator must be')
  const upstream = ['--upstream', await deserted(), '--authenticator', authenticators.own]
  t.match(await refused(...upstream, '--account', `2=${authenticators.disabled}`), '--account must be one of')
  t.match(await refused(...upstream, '--account', 'disabled=-'), '--account disabled= must be')
  t.match(await refused(...upstream, '--customer', 'x'), '--customer must be')
  t.match(await refused(...upstream, '--timeout', '0'), '--timeout must be')
})

type Body = { readonly status: number; readonly body: string }

/** A service in front of another one that changes some of its answers to GET. */
async function otherwise(t: Test, url: string, change: (path: string, given: Body) => Body): Promise<string> {
  const server = createServer(async ({ url: path = '', method = '', headers }, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of response.req) chunks.push(chunk)
    const answer = await fetch(url + path, {
      method,
      headers: { 'content-type': headers['content-type'] ?? '' },
      ...(method === 'POST' && { body: Buffer.concat(chunks) }),
    })
    const { status, body } = change(path, { status: answer.status, body: await answer.text() })
    const kept = [...answer.headers].filter(([name]) => !/^(?:content-length|connection|keep-alive)$/.test(name))
    response.writeHead(status, { ...Object.fromEntries(kept), 'content-length': Buffer.byteLength(body) }).end(body)
  })
  t.teardown(() => server.close().closeAllConnections())
  return listening(server)
}

async function listening(server: Server): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

/** Where nobody listens any more. */
async function deserted(): Promise<string> {
  const server = createServer()
  const url = await listening(server)
  await once(server.close(), 'close')
  return url
}
