import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { Parser, type Result } from 'tap-parser'

/** One more than there are cores, as tests also wait. */
export const JOBS = availableParallelism() + 1
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
  readonly file: string
  readonly seconds: number
  readonly passed: number
  readonly failed: readonly Finding[]
  readonly skipped: readonly Finding[]
  /** All that it printed beside its results. */
  readonly output: string
}

/** Runs a built test file by itself and reads its results, which are TAP. */
export function runFile(file: string, environment: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Outcome> {
  const begin = performance.now()
  const built = `dist/${file.replace(/\.ts$/, '.js')}`
  const child = spawn(process.execPath, ['--enable-source-maps', built], {
    env: {
      TAP_TIMEOUT: String(TIMEOUT_S),
      // Each file loads the whole application; Node 20 does not know the variable.
      NODE_COMPILE_CACHE: resolve('.tap/compile-cache'),
      ...process.env,
      ...environment,
      TAP: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    timeout: KILL_AFTER_MS,
    killSignal: 'SIGKILL',
  })
  let passed = 0
  const failed: Finding[] = []
  const skipped: Finding[] = []
  let output = ''
  const parser = new Parser({ name: file })
  parser.on('result', (result: Result) => {
    if (result.skip !== false) skipped.push({ name: result.fullname, details: String(result.skip) })
    else if (result.ok || result.todo !== false) passed += 1
    else failed.push({ name: result.fullname, details: detailsOf(result) })
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
      const seconds = (performance.now() - begin) / 1000
      if (failed.length === 0 && why !== undefined) failed.push({ name: file, details: why })
      resolve({ file, seconds, passed, failed, skipped, output })
    }
    child.once('error', error => finish(error.message))
    child.once('close', (code, signal) => {
      if (code !== 0) finish(`It ended with ${signal ?? `exit code ${code}`}.`)
      else if (parser.results?.ok !== true) finish('Its results are incomplete.')
      else if (passed + skipped.length === 0) finish('There is no test in it.')
      else finish(undefined)
    })
  })
}

/** What tap says of a failure, without what the stack shows as well. */
function detailsOf({ diag, todo }: Result): string {
  const { at, source, ...rest } = (diag ?? {}) as Record<string, unknown> // tap's YAML, an object
  return Object.entries({ ...rest, ...(todo === false ? {} : { todo }) })
    .map(([name, value]) =>
      typeof value === 'string' ? `${name}: ${value.trimEnd()}` : `${name}: ${JSON.stringify(value)}`,
    )
    .join('\n')
}
