import { randomFillSync } from 'node:crypto'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { readAccounts } from '../../src/accounts/account-seeds.js'
import { AbandonedTokens } from '../../src/ledger/abandoned-tokens.js'
import { GroupLedger } from '../../src/ledger/group-ledger.js'
import type { LedgerEvent, Reservation } from '../../src/ledger/ledger.js'
import { ALL_SERVICES } from '../../src/store/chosen-services.js'
import type { WrittenEvent } from '../../src/store/engine.js'
import { openStore, type Store } from '../../src/store/store.js'
import { type EventRow, serviceId } from '../../src/store/tables.js'
import { onBothEngines } from '../engines.js'
import { accounts, NOON, startTestServer } from '../harness.js'
import { eventually } from './load.js'

const MINUTE = 60_000
const DAY = 86_400_000
const MIDNIGHT = NOON + DAY / 2
const CUSTOMER = 7
const SERVICE = serviceId(CUSTOMER, 'test')

const issued = eventOf({})
const refused = eventOf({ event: 'token_refused', tokenId: undefined, errorCode: -2005 })
const unknown = eventOf({ event: 'token_unknown', tokenId: undefined, errorCode: -2030 })

onBothEngines(t, 'the ledger of a gateway', async (t, database) => {
  await t.test('a listener hears of each event once, as it stands in the log', async t => {
    const desks = await openDesks(t, await database(), { balance: 2 })
    const heard: WrittenEvent[] = []
    const ledger = new GroupLedger(desks[0].store.events, randomFillSync, event => void heard.push(event))
    const reserved = await ledger.reserve(issued)
    if (!isReservation(reserved)) throw new Error(reserved)
    t.same(heard, [], 'a reservation is no event yet')
    await ledger.append(refused)
    await Promise.all([ledger.settle(reserved, issued), ledger.settle(reserved, issued)])
    await ledger.settle(reserved, issued)
    await ledger.recordIssue(issued, 'issue')
    t.equal(await ledger.recordIssue(issued, 'issue'), 'balance used up')
    const redeemed = eventOf({ event: 'token_redeemed' })
    for (const outcome of ['recorded', 'redeemed too often'])
      t.equal(await ledger.redeem(redeemed, { most: 1, expiresAt: MIDNIGHT, pays: false }), outcome)

    const { events } = await bookOf(desks)
    const inShort = ({ event, token_id, error_code }: WrittenEvent) => ({ event, token_id, error_code })
    t.same(heard.map(inShort), events.map(inShort))
    t.same(
      events.map(({ event }) => event),
      ['token_refused', 'token_issued', 'token_issued', 'token_refused', 'token_redeemed'],
    )
  })

  await t.test('what is issued or unknown is paid for once, and what is refused is given back', async t => {
    const url = await database()
    const desks = await openDesks(t, url, { balance: 200 })
    const outcomes = [issued, refused, unknown]
    const used: LedgerEvent[] = []
    const ask = async (index: number) => {
      const { ledger } = desks[index % desks.length] ?? fail()
      const reserved = await ledger.reserve(eventOf({ requestId: `request-${index}` }))
      if (typeof reserved === 'string') return reserved
      const outcome = { ...(outcomes[index % 3] ?? fail()), requestId: `request-${index}` }
      used.push(outcome)
      await ledger.settle(reserved, outcome)
      return 'settled'
    }
    // In waves, so that what goes back in one is there for the next; others take from the same balance meanwhile.
    for (let wave = 0; wave < 4; wave += 1) {
      const asking = Array.from({ length: 120 }, (_, index) => ask(wave * 120 + index))
      const issuing = Array.from({ length: 10 }, () => (desks[0] ?? fail()).ledger.recordIssue(issued, 'issue'))
      await Promise.all([...asking, ...issuing])
    }

    // What went back last is there, too.
    await Promise.all(
      desks.map(({ ledger }) => Promise.all(Array.from({ length: 120 }, () => ledger.recordIssue(issued, 'issue')))),
    )

    const { balance, events, pending } = await bookOf(desks)
    t.equal(balance, 0)
    t.equal(events.filter(isPaid).length, 200, 'balance = start - issued - unknown')
    t.same(
      events.map(({ event_id }) => event_id),
      Array.from({ length: 520 + desks.length * 120 }, (_, index) => index + 1),
      'one event for each request, and none is missing',
    )
    const settled = (name: string) => (event: { readonly requestId: string; readonly event: string }) =>
      event.event === name ? event.requestId : []
    for (const name of ['token_unknown', 'token_refused'])
      t.same(
        events.flatMap(row => (row.event === name && row.error_code !== -2019 ? row.request_id : [])).sort(),
        used.flatMap(settled(name)).sort(),
      )
    t.same(pending, [])
  })

  await t.test('what nobody settles becomes unknown, once, and stays paid for', async t => {
    const desks = await openDesks(t, await database(), { balance: 150, tokensPerDay: null })
    const [{ ledger }] = desks
    const asked = Array.from({ length: 120 }, (_, index) => ledger.reserve(eventOf({ requestId: `request-${index}` })))
    const reservations = (await Promise.all(asked)).filter(isReservation)
    const [late, known] = reservations
    if (late === undefined || known === undefined) throw new Error('nothing was reserved')
    await ledger.settle(known, { ...issued, requestId: 'request-1' })

    t.same(await sweep(desks, NOON + 5 * MINUTE), 0, 'what is under way has its time')
    await sweep(desks, NOON + 5 * MINUTE + 1)
    const { balance, events, pending } = await bookOf(desks)
    t.equal(balance, 30)
    t.same(pending, [])
    const swept = events.filter(({ event }) => event === 'token_unknown')
    t.equal(events.length, 120)
    t.equal(new Set(swept.map(({ request_id }) => request_id)).size, 119)
    t.match(swept[0], { time: NOON + 5 * MINUTE + 1, error_code: -2030, token_id: null, kids: 'a,b', cookie: 'viewer' })

    await ledger.settle(late, { ...refused, requestId: 'request-0' })
    const after = await bookOf(desks)
    t.equal(after.balance, 30, 'too late to be given back')
    t.equal(after.events.length, 120, 'and to be told: each has one event')
  })

  await t.test('who does not know whether something was settled may settle it again: it happens once', async t => {
    const desks = await openDesks(t, await database(), { balance: 60, tokensPerDay: 60 })
    const [{ ledger }] = desks
    const outcomes = [issued, refused, unknown]
    const settleAll = async (index: number) => {
      const reserved = await ledger.reserve(eventOf({}))
      if (typeof reserved === 'string') throw new Error(reserved)
      const outcome = { ...(outcomes[index % 3] ?? fail()), requestId: `request-${index}` }
      const settle = () => Promise.all(desks.flatMap(desk => [1, 2].map(() => desk.ledger.settle(reserved, outcome))))
      await settle()
      await settle()
    }
    await Promise.all(Array.from({ length: 60 }, (_, index) => settleAll(index)))
    const { balance, events, pending } = await bookOf(desks)
    t.equal(balance, 20)
    t.same(pending, [])
    t.same(
      events.map(({ event_id }) => event_id),
      Array.from({ length: 60 }, (_, index) => index + 1),
    )
    t.equal(new Set(events.map(({ request_id }) => request_id)).size, 60)
    const more = await Promise.all(Array.from({ length: 30 }, () => ledger.recordIssue(issued, 'issue')))
    t.equal(more.filter(outcome => outcome === 'recorded').length, 20, 'balance and quota agree')
  })

  await t.test('a process that has died: the next one tells what is unknown', async t => {
    const url = await database()
    const died = await openStore(url)
    const [account] = readAccounts({ accounts: [accounts[4]] }, 'test')
    await died.accounts.add(account ?? fail(), { test: [], production: [] })
    const ledger = ledgerOf(died)
    await ledger.reserve({ ...issued, customerId: 5, time: NOON - 6 * MINUTE, requestId: 'long-ago' })
    await ledger.reserve({ ...issued, customerId: 5, time: NOON - 1, requestId: 'just-now' })
    await died.close()

    const server = await startTestServer(t, { settings: { DATABASE_URL: url, LOG_LEVEL: 'warn' }, accounts: [] })
    const store = url.startsWith('sqlite:') ? undefined : await openStore(url)
    if (store !== undefined) t.teardown(() => store.close())
    const told = () => server.log.filter(line => line.includes('it is unknown whether tokens were issued'))
    await eventually(() => told().length > 0, 'the log of the process tells of it')
    // Others may be at work on PostgreSQL: only what is old is certainly nobody's.
    const expected = store === undefined ? 2 : 1
    t.match(told(), [new RegExp(`"tokens":${expected}`)])
    await server.close()
    const next = store ?? (await openStore(url))
    t.same(
      (await next.events.newest(serviceId(5, 'test'), 9)).map(({ event, request_id }) => [event, request_id]).reverse(),
      [['token_unknown', 'long-ago'], ...(store === undefined ? [['token_unknown', 'just-now']] : [])],
    )
    if (store === undefined) await next.close()
  })

  await t.test('a quota is for a day, and what is given back goes to its day', async t => {
    const desks = await openDesks(t, await database(), { balance: 100, tokensPerDay: 10 })
    const [{ ledger }] = desks
    const at = (time: number) => eventOf({ time })
    const rush = (time: number) =>
      Promise.all(
        Array.from({ length: 30 }, (_, index) => {
          const desk = (desks[index % desks.length] ?? fail()).ledger
          return (index >> 1) % 2 === 0 ? desk.recordIssue(at(time), 'issue') : desk.reserve(at(time))
        }),
      )
    const first = await rush(MIDNIGHT - 1)
    t.equal(first.filter(outcome => outcome === 'quota used up').length, 20)
    t.equal(first.filter(outcome => outcome === 'recorded' || isReservation(outcome)).length, 10)
    const reservations = first.filter(isReservation)
    t.ok(reservations.length >= 2)
    const [sameDay, nextDay] = reservations
    await ledger.settle(sameDay ?? fail(), { ...refused, time: MIDNIGHT - 1 })
    t.equal(await ledger.recordIssue(at(MIDNIGHT - 1), 'issue'), 'recorded', 'given back on the same day')
    t.equal(await ledger.recordIssue(at(MIDNIGHT - 1), 'issue'), 'quota used up')

    t.equal(await ledger.recordIssue(at(MIDNIGHT), 'issue'), 'recorded', 'a new day')
    await ledger.settle(nextDay ?? fail(), { ...refused, time: MIDNIGHT })
    const rest = (await rush(MIDNIGHT)).filter(outcome => outcome !== 'quota used up')
    t.equal(rest.length, 9, 'what goes back to yesterday is nothing for today')
    t.equal(
      await ledger.recordIssue(at(MIDNIGHT - 1), 'issue'),
      'quota used up',
      'a clock that is late opens no day again',
    )

    const { balance, events, pending } = await bookOf(desks)
    t.equal(balance, 100 - events.filter(isPaid).length - pending.length)
    t.equal(events.filter(({ error_code }) => error_code === -2019).length, 20 + 1 + 21 + 1, 'every refusal is logged')
  })

  await t.test('a clock that was far ahead once does not end the quotas of all days', async t => {
    const desks = await openDesks(t, await database(), { balance: 100, tokensPerDay: 3 })
    const [{ ledger }] = desks
    const at = async (time: number) => {
      const asked = Array.from({ length: 5 }, () => ledger.recordIssue(eventOf({ time }), 'issue'))
      return (await Promise.all(asked)).filter(outcome => outcome === 'recorded').length
    }
    t.equal(await at(NOON + 400 * DAY), 3)
    t.equal(await at(NOON), 3, 'today, by a clock that is right')
    t.equal(await at(NOON + DAY), 3, 'and tomorrow')
    t.equal(await at(NOON), 0, 'one day apart is what clocks differ by around midnight')
    const reservations = await Promise.all(
      Array.from({ length: 5 }, () => ledger.reserve(eventOf({ time: NOON + 400 * DAY }))),
    )
    const [one] = reservations.filter(isReservation)
    t.equal(reservations.filter(isReservation).length, 3)
    t.ok(isReservation(await ledger.reserve(eventOf({ time: NOON + 2 * DAY }))))
    await ledger.settle(one ?? fail(), refused)
    t.equal(await at(NOON + 2 * DAY), 2, 'what goes back to that day is nothing for this one')
  })

  await t.test('who has used up the quota is told when to come again', async t => {
    let now = MIDNIGHT - 1500
    const [, , , , plain] = accounts
    const server = await startTestServer(t, {
      settings: { DATABASE_URL: await database() },
      accounts: [{ ...(plain ?? fail()), limits: { tokensPerDay: 1 } }],
      now: () => now,
    })
    const change = { customerAuthenticator: plain?.authenticators.test ?? null }
    t.equal((await server.get(change)).status, 200)
    const late = await server.get(change)
    t.equal(late.status, 429)
    t.equal(late.headers.get('retry-after'), '2')
    t.match(await late.json(), {
      code: -2019,
      message: 'Insufficient tokens available: the quota of today is used up',
    })
    now = MIDNIGHT
    t.equal((await server.get(change)).status, 200)
  })
})

interface Desk {
  readonly store: Store
  readonly ledger: GroupLedger
}

/** Of an SQLite file there is one, of a PostgreSQL database there are two. */
async function openDesks(t: Test, url: string, limits: { balance: number; tokensPerDay?: number | null }) {
  const desk = async (): Promise<Desk> => {
    const store = await openStore(url)
    t.teardown(() => store.close())
    return { store, ledger: ledgerOf(store) }
  }
  const first = await desk()
  const { balance, tokensPerDay = null } = limits
  const [seed] = readAccounts(
    { accounts: [{ id: CUSTOMER, authenticators: {}, balance, limits: { tokensPerDay } }] },
    'test',
  )
  await first.store.accounts.add(seed ?? fail(), { test: [], production: [] })
  const desks: [Desk, ...Desk[]] = [first]
  if (!url.startsWith('sqlite:')) desks.push(await desk())
  return desks
}

function ledgerOf(store: Store): GroupLedger {
  return new GroupLedger(store.events, randomFillSync)
}

/** All of them at once; answers how many they found. */
async function sweep(desks: readonly Desk[], now: number): Promise<number> {
  const logger = pino({ level: 'silent' })
  // Begun before all that is pending, so that nothing is told early.
  const sweepers = desks.map(({ store, ledger }) => {
    let clock = 0
    const abandoned = new AbandonedTokens({ ...store, ledger, logger, now: () => clock })
    clock = now
    return abandoned
  })
  const found = await Promise.all(sweepers.map(sweeper => sweeper.settle(500)))
  return found.reduce((sum, count) => sum + count, 0)
}

async function bookOf([{ store }]: readonly [Desk, ...Desk[]]) {
  const account = await store.accounts.find(CUSTOMER)
  const events = (await store.events.newest(SERVICE, 1000)).reverse()
  const pending = await store.pendingTokens.askedBefore(ALL_SERVICES, Number.MAX_SAFE_INTEGER, 1000)
  return { balance: account?.services.test.balance, events, pending }
}

function isPaid({ event }: EventRow): boolean {
  return event === 'token_issued' || event === 'token_unknown'
}

function isReservation(outcome: Reservation | string): outcome is Reservation {
  return typeof outcome !== 'string'
}

function eventOf(change: Partial<LedgerEvent>): LedgerEvent {
  return {
    customerId: CUSTOMER,
    environment: 'test',
    time: NOON,
    event: 'token_issued',
    drm: 'playready',
    tokenId: 'token',
    kids: ['a', 'b'],
    cookie: 'viewer',
    errorCode: 0,
    requestId: 'request',
    ...change,
  }
}

function fail(): never {
  throw new Error('there is none')
}
