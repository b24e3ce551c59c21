import pg from 'pg'
import t, { type Test } from 'tap'
import { FAMILIES } from '../families.js'
import { NOON } from '../harness.js'
import { eventually } from '../ledger/load.js'
import { startWire } from '../ledger/wire.js'
import { startPostgres } from '../postgres.js'
import { type Gateway, startGateway } from './gateway.js'
import { answerOf, type Behaviour, issuedBody, startHostile, tokenNumber } from './hostile.js'

const MINUTE = 60_000
const TOKEN = tokenNumber(7)
/** What PostgreSQL says when it has committed a group; other queries without rows end so too. */
const COMMITTED = 'SELECT 0'

const issues: Behaviour = ({ socket }) => void socket.write(answerOf(issuedBody(TOKEN)))
const refuses: Behaviour = ({ socket }) =>
  void socket.write(answerOf('{"code":-2005,"message":"No"}', { status: '400 No' }))

const server = await startPostgres(t)

/** The DRMs take turns: each case takes seconds. */
const CASES = FAMILIES.map((of, index) =>
  index % 2 === 0
    ? { of, where: 'before it is asked', at: [] }
    : { of, where: 'before it has answered', at: [COMMITTED] },
)

for (const { of, where, at } of CASES)
  t.test(
    `what the upstream answered is recorded once, though the database is lost ${where}: ${of.family.name}`,
    async t => {
      const { gateway, answersAndLosesAt } = await startTrial(t)
      const issuing = answersAndLosesAt(issues, 'viewer-1', ...at)
      const issued = await gateway.askFor(of, 'viewer-1')
      t.match(issued, { status: 200, body: { token: TOKEN } }, 'the caller does not wait for it')
      await issuing
      await caughtUp(gateway, 1)
      const { drm } = of.family
      t.match(await gateway.eventsOf('viewer-1'), [{ event: 'token_issued', drm, token_id: TOKEN.slice(16, 32) }])
      t.equal(await gateway.paid(), 1)

      const refusing = answersAndLosesAt(refuses, 'viewer-2', ...at)
      t.match(await gateway.askFor(of, 'viewer-2'), { status: 400, body: { code: -2005 } })
      await refusing
      await caughtUp(gateway, 2)
      const events = await gateway.eventsOf('viewer-2')
      t.match(events, [{ event: 'token_refused', drm, error_code: -2005 }])
      t.equal(events.length, 1)
      t.equal(await gateway.paid(), 1, 'given back, once')
      t.equal(linesOf(gateway, 'is tried again').length, 2, 'one line for each time that it fails')
    },
  )

t.test('what is refused because the database did not answer is given back, whatever it had committed', async t => {
  const { gateway, database, losesAt, breaks, upstream } = await startTrial(t)
  t.match(await gateway.ask('viewer-0'), { status: 200 })
  const committing = losesAt('viewer-1', COMMITTED)
  t.match(await gateway.ask('viewer-1'), { status: 503, body: { code: -2030 } }, 'it was committed')
  await committing
  await isGivenBack('viewer-1')

  const locking = new pg.Client({ connectionString: database })
  await locking.connect()
  await locking.query('begin')
  await locking.query('select * from services for update')
  const asking = gateway.ask('viewer-2')
  await eventually(async () => {
    const waiting = await locking.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'")
    return waiting.rows.length > 0
  }, 'the database waits')
  breaks()
  t.match(await asking, { status: 503, body: { code: -2030 } }, 'it is committed afterwards')
  await locking.query('commit')
  await locking.end()
  await isGivenBack('viewer-2')
  t.equal(upstream.arrivals.length, 1, 'the upstream was not asked')

  async function isGivenBack(cookie: string): Promise<void> {
    await eventually(async () => (await gateway.eventsOf(cookie)).length > 0, 'the log knows of it')
    t.match(await gateway.eventsOf(cookie), [{ event: 'token_refused', error_code: -2030 }])
    t.equal(await gateway.paid(), 1)
  }
})

t.test('what is given back is given back once, also where nobody hears that it was', async t => {
  const { gateway, database, losesAt, startAgain, upstream } = await startTrial(t)
  t.match(await gateway.ask('viewer-0'), { status: 200 })
  const losing = losesAt('viewer-1', COMMITTED)
  const asking = gateway.ask('viewer-1')
  await losing
  await losesAt('viewer-1', COMMITTED)
  const direct = new pg.Client({ connectionString: database })
  await direct.connect()
  const { rows } = await direct.query("select event from events where cookie = 'viewer-1'")
  await direct.end()
  t.strictSame(rows, [{ event: 'token_refused' }], 'it was given back, and the answer is lost')
  t.match(await asking, { status: 503, body: { code: -2030 } })
  await caughtUp(gateway, 1)
  t.equal(await gateway.paid(), 1, 'after the second time')
  await gateway.close()
  const next = await startAgain()
  t.match(await next.eventsOf('viewer-1'), [{ event: 'token_refused', error_code: -2030 }])
  t.equal((await next.eventsOf('viewer-1')).length, 1)
  t.equal(await next.paid(), 1, 'and after the one that is for a database that was slow')
  t.equal(upstream.arrivals.length, 1, 'the upstream was not asked')
})

t.test('at its end a gateway tries once more', async t => {
  const { gateway, answersAndLosesAt, startAgain } = await startTrial(t)
  const losing = answersAndLosesAt(refuses, 'viewer-1')
  t.equal((await gateway.ask('viewer-1')).status, 400)
  await losing
  await gateway.close()
  t.equal(linesOf(gateway, 'is recorded now').length, 1)
  const next = await startAgain()
  t.match(await next.eventsOf('viewer-1'), [{ event: 'token_refused', error_code: -2005 }])
  t.equal(await next.paid(), 0)
})

t.test('what is too old is not tried for ever', async t => {
  const clock = { now: NOON }
  const { gateway, answersAndLosesAt, losesAt } = await startTrial(t, clock)
  const losing = answersAndLosesAt(refuses, 'viewer-1')
  t.equal((await gateway.ask('viewer-1')).status, 400)
  await losing
  const again = losesAt('viewer-1')
  clock.now += 5 * MINUTE + 1
  await again
  await eventually(() => linesOf(gateway, 'was not recorded').length === 1, 'it is given up')
  t.match(linesOf(gateway, 'was not recorded'), [/"tokens":1/])
  t.same(await gateway.eventsOf('viewer-1'), [])
  t.equal(await gateway.paid(), 1)
})

/** A gateway whose connections to PostgreSQL can break at a word. */
async function startTrial(t: Test, clock = { now: NOON }) {
  const database = await server.newDatabase()
  const wire = await startWire(t, database)
  const upstream = await startHostile(t, issues)
  const start = (url: string) => startGateway(t, upstream.url, { DATABASE_URL: url }, () => clock.now)
  /** Resolves when they are broken. The bytes with the last text do not arrive. */
  const losesAt = async (...texts: readonly string[]) => {
    await wire.hangAt(...texts)
    wire.break()
  }
  return {
    gateway: await start(wire.url),
    startAgain: () => start(database),
    database,
    upstream,
    losesAt,
    breaks: () => wire.break(),
    /** The same, from the moment at which the upstream is asked. */
    answersAndLosesAt: (behave: Behaviour, ...texts: readonly string[]) =>
      new Promise<void>((resolve, reject) => {
        upstream.behave = arrival => {
          losesAt(...texts).then(resolve, reject)
          behave(arrival)
        }
      }),
  }
}

function caughtUp(gateway: Gateway, times: number): Promise<void> {
  return eventually(() => linesOf(gateway, 'is recorded now').length === times, 'it is recorded')
}

function linesOf(gateway: Gateway, text: string): string[] {
  return gateway.log.filter(line => line.includes(text))
}
