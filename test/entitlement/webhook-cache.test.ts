import t from 'tap'
import { keyOf, VerdictCache } from '../../src/entitlement/webhook/verdict-cache.js'
import { sampleParameters } from '../../src/sample.js'
import { NOON } from '../harness.js'
import { eventually } from '../ledger/load.js'
import { CONTENT, type Customer, entry, says, startEntitled } from './webhook-customer.js'

const OTHER = '0f8fad5b-d9cb-469f-a165-70867728950e'
const CACHING = { ENTITLEMENT_WEBHOOK_CACHE: 60 }
const denied = says({ isAllowed: false, reason: 'no' })

t.test('an answer holds for its time, which no clock that is put back makes longer', async t => {
  let uptime = 1000
  let now = NOON
  const parts = { now: () => now, uptime: () => uptime, settings: CACHING }
  const { customer, ask } = await startEntitled(t, parts)
  for (const behave of [says({ isAllowed: true, content: entry() }), denied]) {
    customer.behave = behave
    const before = customer.arrivals.length
    const first = await ask()
    uptime += 59_999
    now -= 3_600_000
    t.match(await ask(), { isAllowed: first.isAllowed, errorText: first.errorText })
    t.equal(customer.arrivals.length, before + 1)
    uptime += 1
    await ask()
    t.equal(customer.arrivals.length, before + 2)
    uptime += 60_000
  }
})

t.test('the answer itself says how long it holds', async t => {
  for (const settings of [CACHING, {}]) {
    let uptime = 0
    const { customer, ask } = await startEntitled(t, { uptime: () => uptime, settings })
    customer.behave = says({ isAllowed: true, content: entry(), cacheSeconds: 5 })
    await ask()
    uptime += 4999
    await ask()
    t.equal(customer.arrivals.length, 1)
    uptime += 1
    customer.behave = says({ isAllowed: true, content: entry(), cacheSeconds: 0 })
    await ask()
    await ask()
    t.equal(customer.arrivals.length, 3)
  }
})

t.test('without a time nothing is remembered, and failures never are', async t => {
  const plain = await startEntitled(t)
  for (let count = 1; count <= 3; count += 1) {
    await plain.ask()
    t.equal(plain.customer.arrivals.length, count)
  }
  const caching = await startEntitled(t, { settings: CACHING })
  caching.customer.behave = response => void response.writeHead(500).end()
  t.match(await caching.ask(), { error: 1107 })
  caching.customer.behave = denied
  t.match(await caching.ask(), { error: 1106 })
})

t.test('an answer holds for the same question alone', async t => {
  const { customer, ask } = await startEntitled(t, { behave: denied, settings: CACHING })
  const cookies = [undefined, 'null', 'undefined', 'a', 'A', 'a ', '1', `",1,"a`, 'a"', 'a\\"', 'ä', 'a\u0308']
  const questions = [
    ...cookies.map(customerCookie => ({ customerCookie })),
    { customerCookie: 'a', requestType: 2 },
    { customerCookie: 'a', requestType: 3 },
    { customerCookie: 'a', contentID: OTHER },
  ]
  for (const question of questions) await ask(question)
  t.equal(customer.arrivals.length, questions.length)
  for (const question of questions) await ask(question)
  await ask({ contentID: CONTENT.toUpperCase() })
  t.equal(customer.arrivals.length, questions.length, 'each is remembered; GUIDs are the same in either case')
})

t.test('a remembered content is still looked at: it may be over by now', async t => {
  let now = NOON
  const content = entry({ until: new Date(NOON + 10_000).toISOString() })
  const behave = says({ isAllowed: true, content })
  const { customer, ask } = await startEntitled(t, { now: () => now, behave, settings: CACHING })
  t.match(await ask(), { isAllowed: true })
  now += 10_000
  t.match(await ask(), { isAllowed: false, error: 1103 })
  t.equal(customer.arrivals.length, 1)
})

t.test('who asks the same at the same moment shares one question', async t => {
  const { customer, ask } = await startEntitled(t, { settings: CACHING })
  const answer = heldBack(customer)
  const asked = Array.from({ length: 20 }, () => ask())
  await arrived(customer, 1)
  const last = ask({ contentID: OTHER })
  await arrived(customer, 2)
  answer(says({ isAllowed: false, reason: 'shared' }))
  for (const decision of await Promise.all([...asked, last])) t.match(decision, { error: 1106, errorText: /shared$/ })
  t.equal(customer.arrivals.length, 2)
})

t.test('a failure is shared as well, and the next asks anew', async t => {
  const { customer, ask } = await startEntitled(t, { settings: CACHING })
  const answer = heldBack(customer)
  const asked = Array.from({ length: 5 }, () => ask())
  await arrived(customer, 1)
  const last = ask({ contentID: OTHER })
  await arrived(customer, 2)
  answer(response => void response.writeHead(500).end())
  for (const decision of await Promise.all([...asked, last])) t.match(decision, { error: 1107 })
  t.equal(customer.arrivals.length, 2)
  customer.behave = denied
  t.match(await ask(), { error: 1106 })
})

t.test('what is answered for one request alone is shared by nobody', async t => {
  const once = says({ isAllowed: true, content: entry(), cacheSeconds: 0 })
  const sharing = await startEntitled(t, { behave: once, settings: CACHING })
  const plain = await startEntitled(t)
  for (const { ask, customer } of [sharing, plain]) {
    for (const { isAllowed } of await Promise.all(Array.from({ length: 10 }, () => ask()))) t.ok(isAllowed)
    t.equal(customer.arrivals.length, 10)
  }
})

t.test('the memory for answers is bounded, and the oldest go first', async t => {
  const key = (number: number) => keyOf({ contentID: CONTENT, requestType: 1, customerCookie: `${number}` })
  const verdict = { isAllowed: false, reason: undefined, holdsSeconds: 60, bytes: 20 } as const
  const cache = new VerdictCache(() => 0)
  for (let number = 0; number < 12_000; number += 1) cache.add(key(number), verdict)
  t.equal(cache.size, 10_000)
  t.equal(cache.find(key(1999)), undefined)
  t.equal(cache.find(key(2000)), verdict)
  t.equal(cache.find(key(11_999)), verdict)
  cache.add(key(2000), verdict)
  cache.add(key(12_000), verdict)
  t.equal(cache.find(key(2000)), verdict, 'what was asked anew is no longer the oldest')
  t.equal(cache.find(key(2001)), undefined)
  for (let number = 0; number < 200; number += 1) cache.add(key(number), { ...verdict, bytes: 262_144 })
  t.equal(cache.size, 63, 'answers of the largest size')
  for (let number = 0; number < 200; number += 1) cache.add(key(number), { ...verdict, holdsSeconds: 0 })
  t.equal(cache.size, 0, 'what does not hold takes the place of what did')
})

/** Lets every question wait for the answer that is given later. */
function heldBack(customer: Customer): (behave: Customer['behave']) => void {
  const held: (() => void)[] = []
  customer.behave = (response, arrival) => void held.push(() => customer.behave(response, arrival))
  return behave => {
    customer.behave = behave
    for (const release of held) release()
  }
}

function arrived({ arrivals }: Customer, count: number): Promise<void> {
  return eventually(() => arrivals.length >= count, `${count} questions`)
}

t.test('a late answer to an older question does not replace a newer one', async t => {
  // Without a time of its own each question is asked; what an answer says of its time holds.
  const { customer, ask } = await startEntitled(t)
  let answerFirst: (() => void) | undefined
  customer.behave = (response, arrival) => {
    answerFirst = () => says({ isAllowed: true, content: entry(), cacheSeconds: 60 })(response, arrival)
  }
  const first = ask()
  await eventually(() => answerFirst !== undefined, 'the first question has arrived')
  customer.behave = says({ isAllowed: false, cacheSeconds: 60 })
  t.match(await ask(), { isAllowed: false })
  answerFirst?.()
  t.match(await first, { isAllowed: true }, 'who asked first gets the answer to that question')
  t.match(await ask(), { isAllowed: false }, 'the newer answer stays in force')
  t.equal(customer.arrivals.length, 2)
})

t.test('a reset forgets the answers about its customer, and waits for a request that waits for one', async t => {
  const { server, customer, ask } = await startEntitled(t, { settings: CACHING })
  const asked = async () => {
    t.match(await ask(), { isAllowed: true })
    return customer.arrivals.length
  }
  t.same([await asked(), await asked()], [1, 1])
  await server.reset({ customer: 5 })
  t.equal(await asked(), 1, 'of another customer')
  await server.reset({ customer: CUSTOMER })
  t.equal(await asked(), 2)
  await server.reset()

  const order: string[] = []
  const held = new Promise<() => void>(resolve => {
    customer.behave = (response, arrival) =>
      resolve(() => says({ isAllowed: true, content: entry() })(response, arrival))
  })
  const asking = ask().then(() => order.push('answered'))
  const answer = await held
  const resetting = server.reset().then(() => order.push('reset'))
  answer()
  await Promise.all([asking, resetting])
  const { customerAuthenticator } = sampleParameters
  const log = await fetch(`${server.url}/cmiapi/getrecord/?${new URLSearchParams({ customerAuthenticator })}`)
  t.match(await log.json(), { events: [] }, `what was issued before is gone: ${order}`)
})

const CUSTOMER = 201722
