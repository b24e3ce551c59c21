import { moment } from '../../schemas/rules.js'

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

const DURATION = /^\s*([+-]?\d{1,15}(?:\.\d{1,9})?)\s*(ms|s|m|h|d|w)\s*$/

/** A span of time, in whole milliseconds, from milliseconds or a text such as `31d`. */
export function millisecondsOf(duration: string | number): number {
  const milliseconds = typeof duration === 'number' ? duration : readDuration(duration)
  if (Number.isFinite(milliseconds)) return Math.round(milliseconds)
  throw new TypeError('a duration must be milliseconds, or a text such as 500ms, 10s, 5m, 12h, 31d or 2w')
}

function readDuration(text: string): number {
  const [, amount, unit] = DURATION.exec(text) ?? []
  return amount === undefined ? Number.NaN : Number(amount) * UNITS[unit as keyof typeof UNITS] // what the pattern lets through
}

/** Milliseconds since 1970. */
export function momentOf(given: Date | number | string): number {
  const milliseconds = typeof given === 'string' ? readMoment(given) : Number(given)
  if (Number.isFinite(milliseconds)) return Math.round(milliseconds)
  throw new TypeError('a moment must be a Date, milliseconds since 1970, or a text such as 2027-01-01T00:00:00Z')
}

/** In RFC 3339 with `Z`; a day alone is its beginning in UTC. */
function readMoment(text: string): number {
  return moment.safeParse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text).data ?? Number.NaN
}
