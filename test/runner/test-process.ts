import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Parser, type Result } from 'tap-parser'

/** Two more than there are cores: many tests wait, for timeouts, for the network, or for a process that they have started. */
export const JOBS = availableParallelism() + 2
const GROUP = fileURLToPath(new URL('./group.js', import.meta.url))
/** What group.ts prints before it loads a file. */
const FILE_COMMENT = /^# file (.*)$/m
/** A test file ends by itself after this time without `t.setTimeout`… */
const TIMEOUT_S = 300
/** …and is killed after this one whatever it says. */
const KILL_AFTER_MS = 20 * 60_000

/** What one assertion, one test or one file came to. */
export interface Finding {
  readonly name: string
  readonly details: string
}

/** What a file came to. */
export class Outcome {
  readonly failed: Finding[] = []
  readonly skipped: Finding[] = []
  passed = 0
  /** All that it printed beside its results. */
  output = ''
  seconds = 0
  readonly #begin = performance.now()

  constructor(readonly file: string) {}

  add(result: Result): void {
    const name = `${this.file} > ${result.fullname.replace(/^\W*/, '')}`
    if (result.skip !== false) this.skipped.push({ name, details: String(result.skip) })
    else if (result.ok || result.todo !== false) this.passed += 1
    else this.failed.push({ name, details: detailsOf(result) })
  }

  end(death?: string): void {
    this.seconds = (performance.now() - this.#begin) / 1000
    const why = death ?? (this.passed + this.skipped.length === 0 ? 'There is no test in it.' : undefined)
    if (why !== undefined && this.failed.length === 0) this.failed.push({ name: this.file, details: why })
  }
}

/** Who gives out the files, and is told of them. */
export interface Files {
  /** The file to run next, if there is one. */
  next(): string | undefined
  begin(file: string): void
  end(outcome: Outcome): void
}

let processes = 0

/** A process that runs built test files, one after another, and prints their results as TAP. It may die in one of them. */
export function runFiles(files: Files, environment: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
  processes += 1
  // tap names the folders of `t.testdir` after the program and its arguments: they must not be those of another process.
  const child = fork(GROUP, [`${process.pid}-${processes}`], {
    execArgv: ['--enable-source-maps'],
    env: { TAP_TIMEOUT: String(TIMEOUT_S), ...process.env, ...environment, TAP: '1' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    signal,
    killSignal: 'SIGKILL',
    // A group of its own, so that what it leaves behind can be ended with it.
    detached: process.platform !== 'win32',
  })
  // A process that a test has left would keep the pipes open, and the run waiting.
  child.once('exit', () => endGroup(child.pid))
  const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)

  /** The file that it was told to run, or `''` when there is none left. */
  let sent: string | undefined
  let outcome: Outcome | undefined
  let hasFailures = false

  child.on('message', async message => {
    if (message !== 'next') return // tap has words of its own
    await setImmediate() // until what the file before has printed is read
    sent = files.next() ?? ''
    child.send(sent, () => {}) // to a process that has died, perhaps
  })
  const parser = new Parser({ name: '' })
  parser.on('comment', (comment: string) => {
    const file = FILE_COMMENT.exec(comment)?.[1]
    if (file !== undefined) begin(file)
  })
  parser.on('result', (result: Result) => outcome?.add(result))
  parser.on('extra', print)
  child.stdout?.setEncoding('utf8').pipe(parser)
  child.stderr?.setEncoding('utf8').on('data', print)

  function begin(file: string): void {
    end()
    outcome = new Outcome(file)
    timer.refresh()
    files.begin(file)
  }

  function print(text: string): void {
    if (outcome !== undefined) outcome.output += text
  }

  function end(why?: string): void {
    if (outcome === undefined) return
    outcome.end(why)
    if (outcome.failed.length > 0) hasFailures = true
    files.end(outcome)
    outcome = undefined
  }

  /** What is wrong with how the process ended, beside the failures of its tests. */
  function whyItEnded(code: number | null, exitSignal: string | null): string | undefined {
    const isExpected = parser.results?.ok === true ? code === 0 : hasFailures || outcome?.failed.length !== 0
    if (sent === '' && parser.results !== null && isExpected) return undefined
    return code === 0 ? 'Its results are incomplete.' : `It ended with ${exitSignal ?? `exit code ${code}`}.`
  }

  return new Promise((resolve, reject) => {
    child.once('error', reject) // it could not be started, or was interrupted
    child.once('close', (code, exitSignal) => {
      clearTimeout(timer)
      if (sent === undefined) return reject(new Error('A test process has ended before its first test'))
      if (sent !== '' && outcome?.file !== sent) begin(sent)
      end(whyItEnded(code, exitSignal))
      resolve()
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

/** What tap says of a failure, without what the stack shows as well. */
function detailsOf({ diag }: Result): string {
  const { at, source, ...rest } = (diag ?? {}) as Record<string, unknown> // tap's YAML, an object
  return Object.entries(rest)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value.trimEnd() : JSON.stringify(value)}`)
    .join('\n')
}
