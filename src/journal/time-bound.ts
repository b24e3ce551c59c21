import { createContext, Script } from 'node:vm'

/** Milliseconds that the regular expressions of one look at some entries may take. */
const LONGEST = 250
/** On a busy machine the time passes without the work being done; it is then tried again. */
const ATTEMPTS = 4

const script = new Script('work()')
const context = createContext(Object.create(null))

/** The work was stopped. */
export class TakesTooLong extends Error {}

/**
 * Does something synchronous, and stops it in the middle if it takes too long: a caller's regular expression may take
 * for ages. Only for work that changes nothing.
 */
export function timeBound<T>(work: () => T): T {
  context.work = work
  try {
    return attempt(ATTEMPTS)
  } finally {
    context.work = undefined
  }
}

function attempt<T>(left: number): T {
  const before = processorMilliseconds()
  try {
    return script.runInContext(context, { timeout: LONGEST })
  } catch (error) {
    if (!isTimeout(error)) throw error
    const wasWorking = processorMilliseconds() - before > LONGEST / 2
    if (wasWorking || left === 1) throw new TakesTooLong()
  }
  return attempt(left - 1)
}

/** It is an error of the other context, so `instanceof` does not know it. */
function isTimeout(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
}

function processorMilliseconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
