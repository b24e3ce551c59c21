import { randomInt } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { checkBook } from './book.js'
import { Load } from './load.js'
import { demoCustomer as customer, startService, stop } from './service.js'

/** After the first token, so that there is load on the slowest machine, too. */
const LATEST_KILL_MS = 150

/** What chooses the moments: KILL_SEED repeats those of an earlier run. */
export const killSeed = Number(process.env.KILL_SEED ?? randomInt(2 ** 31))

/** Kills the service under load, starts it again on the same database, and reads the book after every death. */
export async function killAgainAndAgain(t: Test, rounds: number, database: string) {
  const settings = { DATABASE_URL: database, LOG_LEVEL: 'silent' }
  const random = randomFrom(killSeed)
  const answered: string[] = []

  for (let round = 1; round <= rounds; round += 1) {
    const service = await startService(t, settings)
    const load = new Load(service.url, customer)
    const moment = random() * LATEST_KILL_MS
    await load.moreTokens(1)
    await pause(moment)
    await stop(service, 'SIGKILL')
    await load.end()
    answered.push(...load.tokens)
    const when = `round ${round}, killed after ${Math.round(moment)} ms`
    t.same(load.refusals, [])
    await checkBook(t, database, customer, answered, when)
  }

  // After the last death it goes on, too.
  const service = await startService(t, settings)
  const load = new Load(service.url, customer)
  await load.moreTokens(100)
  await load.end()
  t.equal(load.unanswered, 0)
  await stop(service, 'SIGTERM')
  answered.push(...load.tokens)
  await checkBook(t, database, customer, answered)
}

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
