import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { chromiumRemedy, findChromium, installChromium } from '../browser/find-chromium.js'
import { type Ending, startOwnPostgres } from '../postgres.js'
import { chosenFiles, isBrowserTest, queued, rememberTimes } from './files.js'
import { Report } from './report.js'
import { JOBS, type Outcome, runFiles } from './test-process.js'

/*
 * `npm test`, `npm run test:long` and `npm run test:all`: runs the built test files, or those that are named, in a few
 * processes, and ends with one line of counts. `--times` adds the seconds of each file. All files share one PostgreSQL
 * server, unless TEST_DATABASE_URL names another.
 */

const interrupted = new AbortController()
const endings: (() => unknown)[] = []

// Node's own way out would leave the tests and the database server behind. What failed so far is shown.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupted.abort(signal))

const { values, positionals } = parseArgs({
  options: {
    long: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    times: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const files = chosenFiles(positionals, values)
const report = new Report(files.length)
let environment: NodeJS.ProcessEnv = values.long || values.all ? { LONG: 'true' } : {}
let runnable = files
try {
  environment = { ...environment, ...(await databaseFor(files)) }
  if (files.some(isBrowserTest) && !hasBrowser()) {
    for (const file of files.filter(isBrowserTest)) report.skip(file, chromiumRemedy())
    runnable = files.filter(file => !isBrowserTest(file))
  }
  const { apart, others } = queued(runnable)
  const lanes = Math.min(JOBS, apart.length + others.length)
  await Promise.all(Array.from({ length: lanes }, () => runFrom(apart, others)))
  rememberTimes(report.times)
} finally {
  await end()
}
if (values.times) report.printTimes()
const isGreen = report.close()
process.exitCode = interrupted.signal.aborted
  ? 128 + constants.signals[interrupted.signal.reason as NodeJS.Signals]
  : Number(!isGreen) // as above

async function runFrom(apart: string[][], others: string[]): Promise<void> {
  for (let queue = apart.shift(); queue !== undefined; queue = apart.shift()) await runAll(queue)
  await runAll(others)
}

/** Runs file after file in one process, and in another after one that has died. */
async function runAll(queue: string[]): Promise<void> {
  const files = {
    next: () => (interrupted.signal.aborted ? undefined : queue.shift()),
    begin: (file: string) => report.start(file),
    end: (outcome: Outcome) => {
      if (!interrupted.signal.aborted) report.end(outcome)
    },
  }
  while (queue.length > 0 && !interrupted.signal.aborted)
    await runFiles(files, environment, interrupted.signal).catch(error => {
      if (!interrupted.signal.aborted) throw error
    })
}

/**
 * One server for all files, and without waiting for the disk: nobody needs these databases after a power cut. A file
 * that runs alone starts its own if it needs one.
 */
async function databaseFor(files: readonly string[]): Promise<NodeJS.ProcessEnv> {
  const given = process.env.TEST_DATABASE_URL ?? ''
  if (given !== '' || files.length === 1) return { TEST_DATABASE_URL: given }
  const ending: Ending = { teardown: work => void endings.push(work) }
  const server = await startOwnPostgres(ending, { fsync: 'off', full_page_writes: 'off', max_connections: 400 })
  return { TEST_DATABASE_URL: server.url }
}

function hasBrowser(): boolean {
  if (findChromium() === undefined) installChromium(command => report.note(`installing Chromium: ${command}`))
  return findChromium() !== undefined
}

async function end(): Promise<void> {
  for (const work of endings.splice(0).reverse()) await work()
}
