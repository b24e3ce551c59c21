import { Agent } from 'node:http'
import t from 'tap'
import type { RecordedEvent, RecordsAnswer } from '../../schemas/records.js'
import { repetitions } from '../counts.js'
import { type Answer, ask } from '../ledger/load.js'
import { startService } from '../ledger/service.js'
import { account, LOCAL } from './gateway.js'
import { type Arrival, answerOf, drips, issuedBody, startHostile, tokenNumber } from './hostile.js'

const REQUESTS = repetitions({ usual: 2000, long: 10_000 })
const CALLERS = 100
const TIMEOUT = 3000

const html = answerOf('<html>', { type: 'text/html' })
const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'

/** What the upstream does to a request in place of an answer, after it has issued the token. */
const failures: readonly ((arrival: Arrival, token: string) => void)[] = [
  ({ socket }) => socket.resetAndDestroy(),
  ({ socket }) => socket.end(),
  () => {}, // it hangs
  drips,
  ({ socket }) => socket.write(html),
  ({ socket }) => socket.write(answerOf('<html>', { status: '502 Bad Gateway' })),
  ({ socket }) => socket.write(answerOf('{"code":-2030,"message":"down"}', { status: '503 Down' })),
  ({ socket }, token) => socket.end(answerOf(issuedBody(token)).slice(0, -9)),
  ({ socket }, token) => socket.end(`${chunked}ff\r\n${issuedBody(token)}`),
  ({ socket }, token) => socket.write(answerOf(issuedBody(token).slice(0, -9))),
  ({ socket }) => socket.write(answerOf('x'.repeat(70_000))),
  ({ socket }) => socket.end('what is this?\r\n\r\n'),
  ({ socket }, token) => socket.end(answerOf(issuedBody(token), { headers: `x: ${'x'.repeat(20_000)}\r\n` })),
]
/** The same, without having issued one. */
const refusals: readonly ((arrival: Arrival) => void)[] = [
  ({ socket }) => socket.write(answerOf('{"code":-2019,"message":"none left"}', { status: '400 No' })),
  ({ socket }) => socket.write(answerOf('<html>', { status: '404 Not Found' })),
  ({ socket }) => socket.write(answerOf('', { status: '302 Found', headers: 'location: /\r\n' })),
]

t.test(`${REQUESTS} requests through an upstream that fails one in five times, in all ways`, async t => {
  const issued = new Map<string, string>()
  const upstream = await startHostile(t, arrival => {
    const cookie = arrival.form.get('cookie') ?? ''
    const number = Number(cookie)
    if (number % 25 === 24) return refusals[Math.floor(number / 25) % refusals.length]?.(arrival)
    const token = tokenNumber(number)
    issued.set(cookie, token)
    if (number % 6 !== 5) arrival.socket.write(answerOf(issuedBody(token)))
    else failures[Math.floor(number / 6) % failures.length]?.(arrival, token)
  })
  // Some connections break as soon as they are there.
  upstream.onHandshake = socket => {
    if (upstream.connections % 10 === 9) socket.resetAndDestroy()
  }
  t.testdir({ 'accounts.json': JSON.stringify({ accounts: [account] }) })
  const { url } = await startService(t, {
    MODE: 'gateway',
    ACCOUNTS_FILE: 'accounts.json',
    UPSTREAM_TEST_URL: upstream.url,
    UPSTREAM_TIMEOUT: String(TIMEOUT),
    // Nobody waits for a turn: on a busy machine many would be refused.
    UPSTREAM_CONNECTIONS: String(CALLERS),
    LOG_LEVEL: 'info',
    ADMIN_TOKEN: 'only-for-administrators',
  })

  const answers = await askAll(url)
  const events = await eventsOf(url)
  t.equal(answers.size, REQUESTS, 'all were answered')

  const arrived = upstream.arrivals.map(({ form }) => form.get('cookie') ?? '')
  t.equal(new Set(arrived).size, arrived.length, 'none was sent twice')
  const contradictions = [...answers].flatMap(([cookie, { status, body }]) => {
    const [event, ...others] = events.get(cookie) ?? []
    const token = issued.get(cookie)
    const isTrue =
      others.length === 0 &&
      (status === 200
        ? event?.event === 'token_issued' && body.token === token && event.token_id === token?.slice(16, 32)
        : event === undefined ||
          event.event === 'token_unknown' ||
          (event.event === 'token_refused' && token === undefined))
    return isTrue ? [] : [{ cookie, status, event: event?.event, token }]
  })
  t.same(contradictions, [], 'the log says what the upstream issued, or that it is unknown')
  const unlogged = [...issued.keys()].filter(cookie => !events.has(cookie))
  t.same(unlogged, [], 'and knows of each')

  const count = (event: string) => [...events.values()].flat().filter(one => one.event === event).length
  const [tokens, unknown, refused] = [count('token_issued'), count('token_unknown'), count('token_refused')]
  t.ok(tokens > REQUESTS * 0.6, `${tokens} issued`)
  t.ok(unknown > REQUESTS * 0.1, `${unknown} unknown`)
  t.ok(refused > REQUESTS * 0.03, `${refused} refused`)
  t.equal(await paid(url), tokens + unknown, 'the balance')
})

async function askAll(url: string): Promise<ReadonlyMap<string, Answer>> {
  const agent = new Agent({ keepAlive: true })
  const customer = { ...account, authenticator: LOCAL.test }
  const answers = new Map<string, Answer>()
  let next = 0
  const caller = async () => {
    while (next < REQUESTS) {
      const cookie = String(next++)
      answers.set(cookie, await ask(url, agent, customer, { cookie }))
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  agent.destroy()
  return answers
}

/** The whole log, by cookie. */
async function eventsOf(url: string): Promise<ReadonlyMap<string, readonly RecordedEvent[]>> {
  const found = new Map<string, RecordedEvent[]>()
  for (let start = 0; ; start += 1000) {
    const query = new URLSearchParams({ customerAuthenticator: LOCAL.test, start: String(start), length: '1000' })
    const { events } = (await (await fetch(`${url}/cmiapi/getrecord/?${query}`)).json()) as RecordsAnswer // as documented
    for (const event of events) found.set(event.cookie ?? '', [...(found.get(event.cookie ?? '') ?? []), event])
    if (events.length < 1000) return found
  }
}

async function paid(url: string): Promise<number> {
  const headers = { authorization: 'Bearer only-for-administrators' }
  const answer = await fetch(`${url}/admin/api/accounts/${account.id}`, { headers })
  const { services } = (await answer.json()) as { services: { test: { balance: number } } } // as documented
  return account.balance - services.test.balance
}
