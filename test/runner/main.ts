import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { chromiumRemedy, findChromium, installChromium } from '../browser/find-chromium.js'
import { type Ending, startOwnPostgres } from '../postgres.js'
import { chosenFiles, isAlone, isBrowserTest, ordered, rememberTimes } from './files.js'
import { Report } from './report.js'
import { JOBS, type Outcome, runFiles } from './test-process.js'

/*
 * `npm test` and `npm run test:long`: runs the built test files, or those that are named, in a few processes, and ends
 * with one line of counts. All files share one PostgreSQL server, unless TEST_DATABASE_URL names another.
 */

const interrupted = new AbortController()
const endings: (() => unknown)[] = []

// Node's own way out would leave the tests and the database server behind. What failed so far is shown.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupted.abort(signal))

const { values, positionals } = parseArgs({
  options: { long: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const files = chosenFiles(positionals, values.long)
const report = new Report(files.length)
let environment: NodeJS.ProcessEnv = values.long ? { LONG: 'true' } : {}
let runnable = files
try {
  environment = { ...environment, ...(await databaseFor(files)) }
  if (files.some(isBrowserTest) && !hasBrowser()) {
    for (const file of files.filter(isBrowserTest)) report.skip(file, chromiumRemedy())
    runnable = files.filter(file => !isBrowserTest(file))
  }
  const queue = ordered(runnable)
  await Promise.all(Array.from({ length: Math.min(JOBS, queue.length) }, () => runFrom(queue)))
  rememberTimes(report.times)
} finally {
  await end()
}
const isGreen = report.close()
process.exitCode = interrupted.signal.aborted
  ? 128 + constants.signals[interrupted.signal.reason as NodeJS.Signals]
  : Number(!isGreen) // as above

/** Runs file after file in one process: in another after one that dies, and after each file that needs its own. */
async function runFrom(queue: string[]): Promise<void> {
  while (queue[0] !== undefined && !interrupted.signal.aborted) {
    let wasAlone = false
    const next = () => {
      if (wasAlone || interrupted.signal.aborted) return undefined
      const file = queue.shift()
      wasAlone = file !== undefined && isAlone(file)
      return file
    }
    const files = { next, begin: (file: string) => report.start(file), end: (outcome: Outcome) => report.end(outcome) }
    await runFiles(files, environment, interrupted.signal).catch(error => {
      if (!interrupted.signal.aborted) throw error
    })
  }
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
