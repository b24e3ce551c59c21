import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

const TIMES_FILE = '.tap/times.json'
const TEST_FILE = /\.test\.ts$/
/** Too slow for every change: `npm run test:long` runs it. */
const LONG_ONLY = /\.long\.test\.ts$/
/** It repeats something more often when LONG is set. */
const HAS_LONG_FORM = /\/counts\.js'/
/** CI runs it on the newest Node: all that it looks at is tested elsewhere too. */
const SMOKE = 'test/smoke/'
const LONGEST_GROUP_S = 20

/** The test files below the names, or those of a run of all: the long ones, or the others. */
export function chosenFiles(names: readonly string[], isLong: boolean): string[] {
  const all = readdirSync('test', { recursive: true, encoding: 'utf8' })
    .map(file => `test/${file.replaceAll('\\', '/')}`)
    .filter(file => TEST_FILE.test(file))
    .sort()
  if (names.length > 0) return [...new Set(names.flatMap(name => filesOf(name, all)))]
  return isLong
    ? all.filter(file => LONG_ONLY.test(file) || HAS_LONG_FORM.test(readFileSync(file, 'utf8')))
    : all.filter(file => !LONG_ONLY.test(file) && !file.startsWith(SMOKE))
}

function isAlone(file: string): boolean {
  return isBrowserTest(file) || LONG_ONLY.test(file) || file.startsWith(SMOKE)
}

export function isBrowserTest(file: string): boolean {
  return file.startsWith('test/browser/')
}

/**
 * What runs in one process: a few files of a folder, which load the application once for all of them. The groups that
 * take longest come first, so that none is left at the end alone. A file that was never run is taken for the longer the
 * larger it is.
 */
export function grouped(files: readonly string[]): string[][] {
  const times = knownTimes()
  const secondsOf = (file: string) => times[file] ?? (isAlone(file) ? LONGEST_GROUP_S : statSync(file).size / 2048)
  const total = (group: readonly string[]) => group.reduce((sum, file) => sum + secondsOf(file), 0)
  const groups: string[][] = []
  for (const file of files) {
    const last = groups.at(-1)
    const isJoining =
      last !== undefined && !isAlone(file) && !last.some(isAlone) && dirname(last[0] ?? '') === dirname(file)
    if (isJoining && total(last) + secondsOf(file) <= LONGEST_GROUP_S) last.push(file)
    else groups.push([file])
  }
  return groups.sort((one, other) => total(other) - total(one))
}

export function rememberTimes(times: ReadonlyMap<string, number>): void {
  const all = { ...knownTimes(), ...Object.fromEntries(times) }
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
  try {
    return JSON.parse(readFileSync(TIMES_FILE, 'utf8')) // written by rememberTimes
  } catch {
    return {}
  }
}
