import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Test } from 'tap'
import { CONTENT_KEY } from './harness.js'

/** Node on the built command line. The runner gives its own loaders to every child through this variable, which would triple its start. */
export const program = ['env', '-u', 'NODE_OPTIONS', process.execPath, resolve('dist/src/cli.js')]

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

/** Starts the built command line as a user does: a process of its own, in a folder and an environment of its own. */
export function startCommand(t: Test, args: string[], env: Record<string, string> = {}, input = ''): RunningCommand {
  const [command = '', ...first] = program
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

export function runCommand(t: Test, args: string[], env: Record<string, string> = {}, input = ''): Promise<Outcome> {
  return startCommand(t, args, env, input).ended
}
