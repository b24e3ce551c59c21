import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { repetitions } from '../counts.js'
import { startOwnPostgres } from '../postgres.js'
import { runCommand } from '../process.js'
import { checkBook } from './book.js'
import { checkRefusals, eventually, Load, MOST_REFUSALS_OF_EACH, STOREFRONTS } from './load.js'
import { demoCustomer as customer, type Service, startService, stop } from './service.js'
import { startWire } from './wire.js'

/** When the service gives up on a question. */
const QUESTION_MS = 5000
const OUTAGES = repetitions({ usual: 1, long: 3 })
const PASSWORD = 'correct-horse-battery-staple'

const server = await startOwnPostgres(t)

for (const mode of ['fast', 'immediate'] as const)
  t.test(`PostgreSQL stops (${mode}) and returns under load`, async t => {
    const trial = await startTrial(t, await server.newDatabase())
    for (let outage = 1; outage <= OUTAGES; outage += 1) {
      await trial.load.moreTokens(200)
      await stopServer(trial.database, mode)
      await trial.load.nothingButRefusals(200)
      const starting = server.start()
      await eventually(() => answers(trial.database), 'PostgreSQL is back')
      await checkResumption(t, trial)
      await starting
    }
    await endTrial(t, trial)
  })

t.test('the connections to PostgreSQL hang for a while', async t => {
  const database = await server.newDatabase()
  const wire = await startWire(t, database)
  const trial = await startTrial(t, database, wire.url)
  await trial.load.moreTokens(200)
  wire.hang()
  await trial.load.nothingButRefusals(60)
  wire.release()
  await checkResumption(t, trial)
  await endTrial(t, trial)
})

t.test('the connections to PostgreSQL are silent for ever, but new ones work', async t => {
  const database = await server.newDatabase()
  const wire = await startWire(t, database)
  const trial = await startTrial(t, database, wire.url)
  await trial.load.moreTokens(200)
  wire.hang()
  wire.forget()
  await trial.load.moreRefusals(1)
  await checkResumption(t, trial)
  await endTrial(t, trial)
})

t.test('the connections to PostgreSQL break in the middle of a question', async t => {
  const database = await server.newDatabase()
  const wire = await startWire(t, database)
  const trial = await startTrial(t, database, wire.url)
  for (let outage = 1; outage <= OUTAGES; outage += 1) {
    await trial.load.moreTokens(200)
    // Not only the ledger's connections are in use then, but also one for accounts.
    await wire.hangAt('from "settings"')
    wire.break()
    await checkResumption(t, trial)
  }
  await endTrial(t, trial)
})

t.test('without its PostgreSQL the service does not start, and says what to look at', async t => {
  t.testdir()
  const database = await server.newDatabase()
  const wire = await startWire(t, database)
  wire.hang()
  const refused = Object.assign(new URL(database), { port: '1' }).href
  const missing = Object.assign(new URL(database), { pathname: 'missing' }).href
  for (const url of [refused, missing, wire.url]) {
    const settings = { DATABASE_URL: withPassword(url), PORT: '0' }
    const { code, stdout, stderr } = await runCommand(t, ['serve'], settings)
    t.equal(code, 1)
    t.match(stderr, /^Could not start: DATABASE_URL: .{10,}\n$/)
    t.notMatch(stdout + stderr, PASSWORD)
    t.comment(stderr)
  }
})

/** A service under load, whose database is about to be out of reach. */
interface Trial {
  readonly service: Service
  readonly load: Load
  readonly database: string
}

async function startTrial(t: Test, database: string, reachedBy = database): Promise<Trial> {
  t.testdir()
  const service = await startService(t, { DATABASE_URL: withPassword(reachedBy), LOG_LEVEL: 'error' })
  return { service, database, load: new Load(service.url, customer) }
}

/** From now on. */
async function checkResumption(t: Test, { load }: Trial): Promise<void> {
  const before = load.refusals.length
  await load.moreTokens(1)
  const refused = load.refusals.length - before
  t.ok(refused < STOREFRONTS * MOST_REFUSALS_OF_EACH, `it goes on after ${refused} refusals`)
}

async function endTrial(t: Test, { service, load, database }: Trial): Promise<void> {
  await load.moreTokens(200)
  await load.end()
  const questions = load.slowestMs / QUESTION_MS
  t.ok(questions < 2, `of ${load.refusals.length} refusals none waited for two questions: ${questions}`)
  checkRefusals(t, load)
  await stop(service, 'SIGTERM')
  t.match(await service.command.ended, { code: 0 }, 'the same process to the end')
  t.notMatch(service.command.output(), PASSWORD)
  await checkBook(t, database, customer, load.tokens)
}

/** Nobody asks for it here, but nobody may see it either. */
function withPassword(url: string): string {
  return Object.assign(new URL(url), { password: PASSWORD }).href
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('SELECT 1')
    return true
  } catch {
    return false
  } finally {
    await client.end()
  }
}

/** As `pg_ctl stop` does it: immediate is a crash, after which the server recovers from its log. */
async function stopServer(url: string, mode: 'fast' | 'immediate'): Promise<void> {
  if (mode === 'fast') return server.stop()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory')
  await client.end()
  const pidFile = join(rows[0]?.data_directory ?? '', 'postmaster.pid')
  process.kill(Number.parseInt(await readFile(pidFile, 'utf8'), 10), 'SIGQUIT')
  await eventually(
    () =>
      access(pidFile).then(
        () => false,
        () => true,
      ),
    'PostgreSQL has stopped',
  )
}
