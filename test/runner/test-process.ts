import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Parser, type Result } from 'tap-parser'

/** One more than there are cores, as tests also wait. */
export const JOBS = availableParallelism() + 1
const GROUP = fileURLToPath(new URL('./group.js', import.meta.url))
/** What group.ts prints before it loads a file. */
const FILE_COMMENT = /^# file (\d+)$/m
/** A test file ends by itself after this time without `t.setTimeout`… */
const TIMEOUT_S = 300
/** …and is killed after this one whatever it says. */
const KILL_AFTER_MS = 20 * 60_000

/** What one assertion, one test or one file came to. */
export interface Finding {
  readonly name: string
  readonly details: string
}

export interface Outcome {
  readonly files: readonly string[]
  /** By file. */
  readonly seconds: ReadonlyMap<string, number>
  readonly passed: number
  readonly failed: readonly Finding[]
  readonly skipped: readonly Finding[]
  /** All that it printed beside its results. */
  readonly output: string
}

/** Runs built test files one after another in a process of their own, and reads their results, which are TAP. */
export function runFiles(
  files: readonly string[],
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
  started: (file: string) => void,
): Promise<Outcome> {
  const builtFiles = files.map(file => resolve('dist', file.replace(/\.ts$/, '.js')))
  const child = spawn(process.execPath, ['--enable-source-maps', GROUP, ...builtFiles], {
    env: {
      TAP_TIMEOUT: String(TIMEOUT_S),
      // Each process loads the whole application; Node 20 does not know the variable.
      NODE_COMPILE_CACHE: resolve('.tap/compile-cache'),
      ...process.env,
      ...environment,
      TAP: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    timeout: KILL_AFTER_MS,
    killSignal: 'SIGKILL',
    // A group of its own, so that what it leaves behind can be ended with it.
    detached: process.platform !== 'win32',
  })
  // A process that a test has left would keep the pipes open, and the run waiting.
  child.once('exit', () => endGroup(child.pid))
  let passed = 0
  const failed: Finding[] = []
  const skipped: Finding[] = []
  const begins = new Map<string, number>()
  let file = files[0] ?? ''
  const withResults = new Set<string>()
  let output = ''

  const parser = new Parser({ name: '' })
  parser.on('comment', (comment: string) => {
    const index = FILE_COMMENT.exec(comment)?.[1]
    if (index === undefined) return
    file = files[Number(index)] ?? file
    begins.set(file, performance.now())
    started(file)
  })
  parser.on('result', (result: Result) => {
    withResults.add(file)
    const name = `${file} > ${result.fullname.replace(/^\W*/, '')}`
    if (result.skip !== false) skipped.push({ name, details: String(result.skip) })
    else if (result.ok || result.todo !== false) passed += 1
    else failed.push({ name, details: detailsOf(result) })
  })
  parser.on('extra', (text: string) => {
    output += text
  })
  child.stdout.setEncoding('utf8').pipe(parser)
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })

  return new Promise(resolve => {
    const finish = (why: string | undefined) => {
      if (failed.length === 0 && why !== undefined) failed.push({ name: file, details: why })
      for (const one of files)
        if (!withResults.has(one) && why === undefined) failed.push({ name: one, details: 'There is no test in it.' })
      resolve({ files, seconds: secondsOf(begins), passed, failed, skipped, output })
    }
    child.once('error', error => finish(error.message))
    child.once('close', (code, signal) => {
      if (code !== 0) finish(`It ended with ${signal ?? `exit code ${code}`}.`)
      else if (parser.results?.ok !== true) finish('Its results are incomplete.')
      else finish(undefined)
    })
  })
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined || process.platform === 'win32') return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing is left.
  }
}

/** From the begin of each to that of the next, in the order of running. */
function secondsOf(begins: ReadonlyMap<string, number>): Map<string, number> {
  const ends = [...begins.values()].slice(1)
  return new Map([...begins].map(([file, begin], n) => [file, ((ends[n] ?? performance.now()) - begin) / 1000]))
}

/** What tap says of a failure, without what the stack shows as well. */
function detailsOf({ diag }: Result): string {
  const { at, source, ...rest } = (diag ?? {}) as Record<string, unknown> // tap's YAML, an object
  return Object.entries(rest)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value.trimEnd() : JSON.stringify(value)}`)
    .join('\n')
}
