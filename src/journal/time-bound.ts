import { createContext, Script } from 'node:vm'

/** Milliseconds that the regular expressions of one look at some entries may take. */
const LONGEST = 250

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
    return script.runInContext(context, { timeout: LONGEST })
  } catch (error) {
    // It is an error of the other context, so `instanceof` does not know it.
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw new TakesTooLong()
    throw error
  } finally {
    context.work = undefined
  }
}
