import { TokenError } from '../errors/public-error.js'
import { dayOf, startOfDay, type UsedUp } from '../store/engine.js'

/** The refusal of a token that nothing is left for; the ledger has written it down. */
export function usedUp(why: UsedUp, now: number): TokenError {
  if (why === 'balance used up') return new TokenError({ code: -2019 }, { isRecorded: true })
  const retryAfter = Math.ceil((startOfDay(dayOf(now) + 1) - now) / 1000)
  const details = 'the quota of today is used up'
  return new TokenError({ code: -2019, details }, { status: 429, retryAfter, isRecorded: true })
}
