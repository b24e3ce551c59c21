const LONGEST_WAIT = 86_400

/** The seconds of a Retry-After. Callers are told no date, nothing that is no number, and nothing beyond a day. */
export function secondsIn(retryAfter: unknown): number | undefined {
  if (typeof retryAfter !== 'string' || !/^\d{1,5}$/.test(retryAfter)) return undefined
  const seconds = Number(retryAfter)
  return seconds <= LONGEST_WAIT ? seconds : undefined
}
