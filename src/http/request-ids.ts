import type { IncomingMessage } from 'node:http'
import { type Randomness, randomBytes } from '../ground/randomness.js'

const ACCEPTABLE = /^[\w.:-]{1,64}$/

/** The id of each request: the caller's own `x-request-id` where it is a plain word, else a new one. */
export function requestIds(random: Randomness): (request: Pick<IncomingMessage, 'headers'>) => string {
  const start = randomBytes(random, 6).toString('hex')
  let count = 0
  return ({ headers }) => {
    const given = headers['x-request-id']
    if (typeof given === 'string' && ACCEPTABLE.test(given)) return given
    count += 1
    return `${start}-${count.toString(36)}`
  }
}
