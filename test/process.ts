import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { Readable, Writable } from 'node:stream'
import type { Test } from 'tap'
import { runCommandLine } from '../src/command-line.js'
import { CONTENT_KEY } from './harness.js'

/** Node on the built command line. The runner gives its own loaders to every child through this variable, which would triple its start. */
export const program = ['env', '-u', 'NODE_OPTIONS', process.execPath, resolve('dist/cli.js')]

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningCommand {
  readonly child: ChildProcess
  /** What it printed so far. */
  output(): string
  /** Resolves with the match when the output has this, and rejects when the command ends without. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  readonly ended: Promise<Outcome>
}

export interface StartOptions {
  readonly input?: string
  /** What the command line begins with: a namespace that it shall run in. */
  readonly within?: readonly string[]
}

/** Starts the built command line as a user does: a process of its own, in a folder and an environment of its own. */
export function startCommand(
  t: Test,
  args: string[],
  env: Record<string, string> = {},
  { input = '', within = [] }: StartOptions = {},
): RunningCommand {
  const [command = '', ...first] = [...within, ...program]
  const child = spawn(command, [...first, ...args], {
    cwd: t.testdirName,
    env: { PATH: process.env.PATH ?? '', ...env },
  })
  child.stdin.end(input)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', chunk => {
    stdout += chunk
  })
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr })) // Node's type
  t.teardown(() => {
    child.kill('SIGKILL')
    if ((stdout + stderr).includes(CONTENT_KEY)) throw new Error('a content key was printed')
  })
  return {
    child,
    ended,
    output: () => stdout + stderr,
    printed: pattern =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(stdout + stderr)
          if (found !== null) resolve(found)
        }
        child.stdout.on('data', look)
        child.stderr.on('data', look)
        ended.then(() => reject(new Error(`it ended without printing ${pattern}: ${stdout}${stderr}`)))
        look()
      }),
  }
}

/** The command before, of those that run in this process: they share its current folder, so they take turns. */
let previous: Promise<unknown> = Promise.resolve()

/**
 * Runs a command inside this process, in the test's folder and an environment of its own. Of `serve` only starts that
 * fail can be run like this: what listens needs `startCommand`.
 */
export function runCommand(t: Test, args: string[], env: Record<string, string> = {}, input = ''): Promise<Outcome> {
  const outcome = previous.then(() => runInFolder(t.testdirName, args, { PATH: process.env.PATH, ...env }, input))
  previous = outcome.catch(() => {})
  return outcome
}

async function runInFolder(folder: string, args: string[], env: NodeJS.ProcessEnv, input: string): Promise<Outcome> {
  const [stdout, stderr] = [new Collected(), new Collected()]
  const before = process.cwd()
  process.chdir(folder)
  try {
    const code = await runCommandLine(args, { env, stdin: Readable.from([input]), stdout, stderr })
    if ((stdout.text + stderr.text).includes(CONTENT_KEY)) throw new Error('a content key was printed')
    return { code, stdout: stdout.text, stderr: stderr.text }
  } finally {
    process.chdir(before)
  }
}

class Collected extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk
    done()
  }
}
