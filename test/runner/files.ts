import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

const TIMES_FILE = '.tap/times.json'
/** The seconds of the slow files on two idle cores, for a clone that has not run them yet. `--times` prints new ones. */
const SLOW_FILES = 'test/runner/slow-files.json'
const TEST_FILE = /\.test\.ts$/
/** Too slow for every change: `npm run test:long` runs it. */
const LONG_ONLY = /\.long\.test\.ts$/
/** It repeats something more often when LONG is set. */
const HAS_LONG_FORM = /\/counts\.js'$/m
/** CI runs it on the newest Node: all that it looks at is tested elsewhere too. */
const SMOKE = 'test/smoke/'
/** It counts objects of its process, which those of other files would be among. */
const COUNTS_OBJECTS = /\bqueryObjects\b/

export interface Choice {
  /** What is slow, and what has a long form. */
  readonly long: boolean
  /** What a run of either kind has: each file once, in its long form where it has one. */
  readonly all: boolean
}

/** The test files below the names, or those of the chosen run. */
export function chosenFiles(names: readonly string[], { long, all: isEverything }: Choice): string[] {
  const all = readdirSync('test', { recursive: true, encoding: 'utf8' })
    .map(file => `test/${file.replaceAll('\\', '/')}`)
    .filter(file => TEST_FILE.test(file))
    .sort()
  if (names.length > 0) return [...new Set(names.flatMap(name => filesOf(name, all)))]
  if (isEverything) return all.filter(file => !file.startsWith(SMOKE))
  return long
    ? all.filter(file => LONG_ONLY.test(file) || HAS_LONG_FORM.test(readFileSync(file, 'utf8')))
    : all.filter(file => !LONG_ONLY.test(file) && !file.startsWith(SMOKE))
}

export function isBrowserTest(file: string): boolean {
  return file.startsWith('test/browser/')
}

/**
 * What a run has to do, file after file: in processes of their own, and in any. Those that take longest come first, so
 * that none is left at the end alone. A file that was never run is taken for the longer the larger it is.
 */
export function queued(files: readonly string[]): { apart: string[][]; others: string[] } {
  const times = knownTimes()
  const seconds = (file: string) => times[file] ?? statSync(file).size / 2048
  const sorted = [...files].sort((one, other) => seconds(other) - seconds(one))
  // One browser is enough for all.
  const browserTests = sorted.filter(isBrowserTest)
  const alone = sorted.filter(isAlone)
  const others = sorted.filter(file => !isBrowserTest(file) && !isAlone(file))
  return { apart: [browserTests, ...alone.map(file => [file])].filter(queue => queue.length > 0), others }
}

function isAlone(file: string): boolean {
  return LONG_ONLY.test(file) || file.startsWith(SMOKE) || COUNTS_OBJECTS.test(readFileSync(file, 'utf8'))
}

export function rememberTimes(times: ReadonlyMap<string, number>): void {
  const all = { ...timesIn(TIMES_FILE), ...Object.fromEntries(times) }
  try {
    mkdirSync(dirname(TIMES_FILE), { recursive: true })
    writeFileSync(TIMES_FILE, JSON.stringify(all, null, 2))
  } catch {
    // Only the order of the next run is worse for it.
  }
}

function filesOf(name: string, all: readonly string[]): string[] {
  const path = name.replaceAll('\\', '/').replace(/^\.\//, '').replace(/\/$/, '')
  const files = all.filter(file => file === path || file.startsWith(`${path}/`))
  if (files.length === 0) throw new Error(`${name} is neither a test file nor a folder with one`)
  return files
}

function knownTimes(): Partial<Record<string, number>> {
  return { ...timesIn(SLOW_FILES), ...timesIn(TIMES_FILE) }
}

/** Seconds by file, as rememberTimes writes them. */
function timesIn(path: string): Partial<Record<string, number>> {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return {} // Only the order is worse without.
  }
}
