import { join } from 'node:path'
import t from 'tap'
import { demoAccount } from '../../src/accounts/demo-account.js'
import { repetitions } from '../counts.js'
import { uuidOf } from '../harness.js'
import { type BookedEvent, readBook } from './book.js'
import { Load } from './load.js'
import { customerWith, demoCustomer, startService, stop } from './service.js'

const rounds = repetitions({ usual: 2, long: 3 })
const customer = customerWith(9, 1_000_000)

t.test(`a gateway killed ${rounds} times under load: its log accounts for every token of the upstream`, async t => {
  const { test } = demoAccount.authenticators
  const account = { id: customer.id, authenticators: { test: customer.authenticator }, upstream: { test } }
  const accounts = { accounts: [{ ...account, balance: customer.balance }] }
  const folder = t.testdir({ 'accounts.json': JSON.stringify(accounts) })
  const [asked, asking] = ['upstream', 'gateway'].map(name => `sqlite:${join(folder, `${name}.db`)}`)
  if (asked === undefined || asking === undefined) throw new Error('a database has no name')
  const upstream = await startService(t, { DATABASE_URL: asked, LOG_LEVEL: 'silent' })
  const settings = {
    MODE: 'gateway',
    UPSTREAM_TEST_URL: upstream.url,
    ACCOUNTS_FILE: 'accounts.json',
    DATABASE_URL: asking,
    LOG_LEVEL: 'info', // which tells where it listens
  }

  const answered: string[] = []
  for (let round = 1; round <= rounds; round += 1) {
    const gateway = await startService(t, settings)
    const load = new Load(gateway.url, customer)
    await load.moreTokens(40 * round)
    await stop(gateway, 'SIGKILL')
    await load.end()
    answered.push(...load.tokens)
    t.same(load.refusals, [])
  }
  // What the last one left behind is told by the next, which is sure that nobody else can be at work on its file.
  const gateway = await startService(t, settings)
  await gateway.command.printed(/it is unknown whether tokens were issued/)
  await stop(gateway, 'SIGTERM')
  await stop(upstream, 'SIGTERM')

  const there = await readBook(asked, demoCustomer)
  const here = await readBook(asking, customer)
  const issuedThere = idsOf(there.events)
  const issuedHere = idsOf(here.events)
  const unknown = here.events.filter(({ event }) => event === 'token_unknown').length
  t.comment(`${issuedThere.size} issued there, ${issuedHere.size} here, ${unknown} unknown`)
  t.same(
    [...issuedHere].filter(id => !issuedThere.has(id)),
    [],
    'nothing is in the log that was not issued',
  )
  t.ok(issuedThere.size - issuedHere.size <= unknown, 'what was issued and is not in the log is unknown')
  t.ok(unknown > 0, 'there was something to lose')
  t.same(
    answered.filter(token => !issuedHere.has(uuidOf(token))),
    [],
    'what was answered is in the log',
  )
  t.equal(here.balance, customer.balance - issuedHere.size - unknown)
  t.equal(here.events.length, here.lastEvent)
})

function idsOf(events: readonly BookedEvent[]): Set<string | null> {
  return new Set(events.flatMap(({ event, token_id }) => (event === 'token_issued' ? [token_id] : [])))
}
