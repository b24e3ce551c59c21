import { createContext, Script } from 'node:vm'

/** Milliseconds that the regular expressions of one look at some entries may take. */
const LONGEST = 250
/** On a busy machine they pass without the work being done: it is then tried again, a few times. */
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
    for (let attempt = 1; ; attempt += 1) {
      const before = processorMilliseconds()
      try {
        return script.runInContext(context, { timeout: LONGEST })
      } catch (error) {
        if (!isTimeout(error)) throw error
        if (attempt === ATTEMPTS || processorMilliseconds() - before > LONGEST / 2) throw new TakesTooLong()
      }
    }
  } finally {
    context.work = undefined
  }
}

/** It is an error of the other context, so `instanceof` does not know it. */
function isTimeout(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
}

function processorMilliseconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
