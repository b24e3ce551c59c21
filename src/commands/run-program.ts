import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { hasCode } from '../ground/files.js'

/** Those that end a program, or that it may have a use for. */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGQUIT']
/** A terminal sends these to every program in front, so to the child as well. */
const OF_TERMINALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT']

/** It cannot be run at all, with the exit code that shells have for this. */
export class CannotRun extends Error {
  constructor(
    readonly exitCode: number,
    message: string,
  ) {
    super(message)
  }
}

/**
 * Runs a program with this process's own input and outputs, and passes on signals. Its exit code, or as in a shell 128
 * and the number of the signal that ended it.
 */
export async function runProgram([name = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(name, args, { env, stdio: 'inherit' })
  const passed = isatty(0) ? SIGNALS.filter(signal => !OF_TERMINALS.includes(signal)) : SIGNALS
  const listeners = SIGNALS.map(signal => {
    const listener = () => void (passed.includes(signal) && child.kill(signal))
    process.on(signal, listener)
    return () => process.off(signal, listener)
  })
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']))
      child.once('error', error => reject(failureOf(error, name)))
    })
  } finally {
    for (const stopListening of listeners) stopListening()
  }
}

function failureOf(error: Error, name: string): Error {
  if (hasCode(error, 'ENOENT')) return new CannotRun(127, `${name}: there is no such program`)
  if (hasCode(error, 'EACCES')) return new CannotRun(126, `${name}: this is not a program, or you may not run it`)
  return error
}
