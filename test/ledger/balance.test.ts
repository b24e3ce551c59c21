import { Agent } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isLong, repetitions } from '../counts.js'
import { type Change, startTestServer } from '../harness.js'
import { startPostgres } from '../postgres.js'
import { runCommand } from '../process.js'
import { checkBook } from './book.js'
import { type Answer, ask } from './load.js'
import { type Customer, customerWith, demoCustomer, type Service, settingsFor, startService, stop } from './service.js'

const BAD_KID: Change = { kid: 'abc' }

const HUNDREDS = repetitions({ usual: 1, long: 5 })
const PROCESSES = repetitions({ usual: 2, long: 4 })

/** One has fewer tokens than requests, the other just enough; some requests of both are refused for another reason. */
const RUSH: readonly Share[] = [
  {
    customer: customerWith(5, 100 * HUNDREDS),
    good: 300 * HUNDREDS,
    bad: 100,
    answers: { '200 token': 100 * HUNDREDS, '400 -2019': 200 * HUNDREDS, '400 -4020': 100 },
    events: { 'token_issued 0': 100 * HUNDREDS, 'token_refused -2019': 200 * HUNDREDS, 'token_refused -4020': 100 },
  },
  {
    customer: customerWith(6, 100 * HUNDREDS),
    good: 100 * HUNDREDS,
    bad: 100,
    answers: { '200 token': 100 * HUNDREDS, '400 -4020': 100 },
    events: { 'token_issued 0': 100 * HUNDREDS, 'token_refused -4020': 100 },
  },
]
const customers = RUSH.map(({ customer }) => customer)

const server = await startPostgres(t)

t.test('with a balance of n exactly n of all concurrent requests get a token: one process, SQLite', async t => {
  const accounts = settingsFor(t, customers)
  const database = `sqlite:${join(t.testdirName, 'ledger.db')}`
  const service = await startService(t, { ...accounts, DATABASE_URL: database })
  const answers = await rush([service])
  await stop(service, 'SIGTERM')
  await checkRush(t, database, answers)
})

t.test(
  `with a balance of n exactly n of all concurrent requests get a token: ${PROCESSES} processes, PostgreSQL`,
  async t => {
    const accounts = settingsFor(t, customers)
    const database = await server.newDatabase()
    const services = await Promise.all(
      Array.from({ length: PROCESSES }, () => startService(t, { ...accounts, DATABASE_URL: database })),
    )
    const answers = await rush(services)
    await checkRush(t, database, answers)

    // Each of them knows what the others have given.
    const agent = new Agent()
    for (const { url } of services)
      for (const customer of customers) t.match(await ask(url, agent, customer), { body: { code: -2019 } })
    for (const service of services) await stop(service, 'SIGTERM')
  },
)

t.test('what is refused is booked with its code, and what nobody is known for is not', async t => {
  const known = customerWith(5, 1)
  const accounts = [{ id: known.id, authenticators: { test: known.authenticator }, balance: known.balance }]
  t.testdir()
  for (const database of [`sqlite:${join(t.testdirName, 'ledger.db')}`, await server.newDatabase()]) {
    const service = await startTestServer(t, { accounts, settings: { DATABASE_URL: database } })
    const agent = new Agent()
    const strangers = [customerWith(99, 0), { ...known, authenticator: `5,${'f'.repeat(32)}` }]
    for (const stranger of strangers)
      t.match(await ask(service.url, agent, stranger), { status: 401, body: { code: -2018 } })
    const answers: Answer[] = []
    for (const change of [BAD_KID, {}, {}, BAD_KID]) answers.push(await ask(service.url, agent, known, change))
    await service.close()

    const { balance, events } = await checkBook(t, database, known, tokensOf(answers))
    t.equal(balance, 0)
    t.match(events, [
      { event_id: 1, event: 'token_refused', error_code: -4020, token_id: undefined },
      { event_id: 2, event: 'token_issued', error_code: 0, token_id: /^[\da-f-]{36}$/ },
      { event_id: 3, event: 'token_refused', error_code: -2019, token_id: undefined },
      { event_id: 4, event: 'token_refused', error_code: -4020, token_id: undefined },
    ])
    t.same(
      events.map(({ request_id }) => request_id),
      answers.map(({ requestId }) => requestId),
    )
  }
})

t.test('processes that start at the same moment on an empty PostgreSQL database all come up', async t => {
  t.testdir()
  for (const processes of isLong ? [2, 4] : [3]) {
    const settings = { DATABASE_URL: await server.newDatabase(), LOG_LEVEL: 'silent' }
    const services = await Promise.all(Array.from({ length: processes }, () => startService(t, settings)))
    const agent = new Agent()
    const answers = await Promise.all(services.map(({ url }) => ask(url, agent, demoCustomer)))
    const book = await checkBook(t, settings.DATABASE_URL, demoCustomer, tokensOf(answers))
    t.equal(book.events.length, processes)
    await Promise.all(services.map(service => stop(service, 'SIGTERM')))
  }
})

t.test('a second process on an SQLite file is refused, and the first goes on', async t => {
  t.testdir()
  const settings = { DATABASE_URL: 'sqlite:ledger.db', LOG_LEVEL: 'silent', PORT: '0' }
  const first = await startService(t, settings)
  const second = await runCommand(t, ['serve'], settings)
  t.match(second, { code: 1, stderr: 'DATABASE_URL: ledger.db is in use by another process' })
  t.match(await ask(first.url, new Agent(), demoCustomer), { status: 200 })
  await stop(first, 'SIGTERM')
  const next = await startService(t, settings)
  t.match(await ask(next.url, new Agent(), demoCustomer), { status: 200 })
  await stop(next, 'SIGTERM')
})

/** What one customer sends, and what comes of it. */
interface Share {
  readonly customer: Customer
  readonly good: number
  readonly bad: number
  readonly answers: Readonly<Record<string, number>>
  readonly events: Readonly<Record<string, number>>
}

/** Sends all requests at once, mixed and spread over the services. */
async function rush(services: readonly Service[]): Promise<ReadonlyMap<Customer, readonly Answer[]>> {
  const desks = services.map(({ url }) => ({ url, agent: new Agent({ keepAlive: true, maxSockets: 100 }) }))
  const requests = RUSH.flatMap(({ customer, good, bad }) => [
    ...Array.from({ length: good }, (_, index) => ({ customer, change: {}, place: index / good })),
    ...Array.from({ length: bad }, (_, index) => ({ customer, change: BAD_KID, place: index / bad })),
  ]).sort((one, other) => one.place - other.place)
  const answers = new Map<Customer, Answer[]>(customers.map(customer => [customer, []]))
  const asking = desks.flatMap(({ url, agent }, desk) =>
    requests
      .filter((_, index) => index % desks.length === desk)
      .map(async ({ customer, change }) => answers.get(customer)?.push(await ask(url, agent, customer, change))),
  )
  await Promise.all(asking)
  for (const { agent } of desks) agent.destroy()
  return answers
}

async function checkRush(t: Test, database: string, answers: ReadonlyMap<Customer, readonly Answer[]>) {
  for (const { customer, ...expected } of RUSH) {
    const given = answers.get(customer) ?? []
    const { balance, events } = await checkBook(t, database, customer, tokensOf(given))
    t.equal(balance, 0)
    t.same(countsOf(given.map(({ status, body }) => `${status} ${body.code ?? 'token'}`)), expected.answers)
    t.same(countsOf(events.map(({ event, error_code }) => `${event} ${error_code}`)), expected.events)
  }
}

function tokensOf(answers: readonly Answer[]): string[] {
  return answers.flatMap(({ body }) => body.token ?? [])
}

function countsOf(texts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1
  return counts
}
