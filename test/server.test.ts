import { createHook } from 'node:async_hooks'
import { channel } from 'node:diagnostics_channel'
import { join } from 'node:path'
import { PerformanceObserver } from 'node:perf_hooks'
import { queryObjects } from 'node:v8'
import type { FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { TOKEN_FAMILIES } from '../src/drm/families.js'
import { CatalogueFile } from '../src/entitlement/catalogue/file.js'
import { InFlight } from '../src/ground/in-flight.js'
import { startServer } from '../src/index.js'
import { TokenRequests } from '../src/tokens/token-requests.js'
import { repetitions } from './counts.js'
import { CATALOGUE_TEXT } from './entitlement/catalogue-text.js'
import { TestAuthority } from './entitlement/certificates.js'
import { form } from './harness.js'

const ROUNDS = repetitions({ usual: 20, long: 200 })

t.test(`${ROUNDS} starts and stops in one process leave nothing behind`, async t => {
  const folder = t.testdir()
  const round = async (settings: Record<string, string>) => {
    const server = await startServer({ settings })
    t.equal((await fetch(`${server.url}/metrics`)).status, 200)
    await server.close()
  }
  const file = { DATABASE_URL: `sqlite:${folder}/some.db` }
  const resources = new Resources()
  t.teardown(() => resources.disable())
  for (const settings of [{}, file]) await round(settings)
  const [before, timersBefore] = [resources.count(), livingTimers()]
  for (let rounds = 0; rounds < ROUNDS; rounds++) await round(rounds % 10 === 0 ? file : {})
  // Of the last rounds the collector may not have seen everything.
  const few = ROUNDS / 4
  t.ok(living(Registry) < few, 'Registry')
  t.ok(living(TokenRequests) < few * TOKEN_FAMILIES.length, 'TokenRequests')
  t.ok(livingTimers() - timersBefore < few, 'timers')
  t.equal(living(PerformanceObserver), 0, 'nothing observes the process')
  const after = resources.count()
  t.notOk(after.has('ELDHISTOGRAM'), 'nothing measures the event loop')
  for (const [kind, count] of after)
    t.ok(count - (before.get(kind) ?? 0) < few, `${kind}: ${before.get(kind) ?? 0}, then ${count}`)
})

/** How many objects of a class there are in this process. It searches the whole heap, which takes a second. */
function living(kind: unknown): number {
  return queryObjects(kind as () => void, { format: 'count' }) // a class is a function
}

function livingTimers(): number {
  const timer = setTimeout(() => {})
  clearTimeout(timer)
  return living(timer.constructor)
}

/** These end by themselves, and timers often before Node says so. */
const SHORT_LIVED = ['PROMISE', 'TickObject', 'Microtask', 'Immediate', 'Timeout']

/** What works on its own in this process, by Node's names: servers, connections, threads and more. */
class Resources {
  readonly #kinds = new Map<number, string>()
  readonly #hook = createHook({
    init: (id, kind) => {
      if (!SHORT_LIVED.includes(kind)) this.#kinds.set(id, kind)
    },
    destroy: id => void this.#kinds.delete(id),
  }).enable()

  count(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const kind of this.#kinds.values()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    return counts
  }

  disable(): void {
    this.#hook.disable()
  }
}

t.test('when an application fails to close, the database is closed all the same, and the failure is told', async t => {
  const settings = { DATABASE_URL: `sqlite:${t.testdir()}/some.db` }
  failToClose(t, new Error('the first application'))
  const server = await startServer({ settings })
  await t.rejects(server.close(), /the first application/)
  await t.rejects(fetch(server.url), 'the port is free')
  const again = await startServer({ settings })
  await again.close()
})

/** Fastify tells of each application that is built; the next one gets a part that can't be closed. */
function failToClose(t: Test, failure: Error): void {
  const built = channel('fastify.initialization')
  const addHook = (message: unknown) => {
    built.unsubscribe(addHook)
    const { fastify } = message as { fastify: FastifyInstance } // as Fastify documents it
    fastify.addHook('onClose', () => Promise.reject(failure))
  }
  built.subscribe(addHook)
  t.teardown(() => built.unsubscribe(addHook))
}

t.test('everybody who closes a server waits for the same end', async t => {
  const server = await startServer()
  const answers = Array.from({ length: 8 }, () => fetch(`${server.url}/hms/pr/token?${form()}`).catch(() => undefined))
  await Promise.race(answers)
  const [one, other] = [server.close(), server.close()]
  t.equal(one, other)
  await Promise.all([one, other, ...answers])
  await server.close()
})

t.test('everybody who waits for what is in flight is told of its end', async t => {
  const inFlight = new InFlight()
  inFlight.begin()
  const waiting = [inFlight.idle(), inFlight.idle()]
  inFlight.end()
  t.same(await Promise.all([...waiting, inFlight.idle()]), [undefined, undefined, undefined])
})

t.test('a start that fails leaves nothing open', async t => {
  const authority = await TestAuthority.create()
  const folder = t.testdir({ 'catalogue.json': CATALOGUE_TEXT, 'ca.pem': authority.cert, 'broken.pem': 'nothing' })
  const database = { DATABASE_URL: `sqlite:${folder}/some.db` }
  const entitlement = {
    ...database,
    CATALOGUE_FILE: join(folder, 'catalogue.json'),
    ENTITLEMENT_PORT: 0,
    ENTITLEMENT_CLIENT_CA: join(folder, 'ca.pem'),
    ENTITLEMENT_TLS_CERT: join(folder, 'broken.pem'),
    ENTITLEMENT_TLS_KEY: join(folder, 'broken.pem'),
  }
  await t.rejects(startServer({ settings: entitlement }), /ENTITLEMENT_TLS_CERT/)
  await t.rejects(startServer({ settings: { ...database, MODE: 'replay', RECORD_DIR: join(folder, 'none') } }))
  t.equal(living(CatalogueFile), 0, 'nothing watches the catalogue')
  const server = await startServer({ settings: database })
  t.equal((await fetch(`${server.url}/readyz`)).status, 200)
  await server.close()
})
