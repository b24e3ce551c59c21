import { closest, distance } from 'fastest-levenshtein'

/**
 * The known name that this one is a slip of, such as RATE_LIMIT_PER_ADDRESS for RATE_LIMIT_PER_ADRESS, `port` for PORT
 * or DATABASEURL for DATABASE_URL. It is strict, because other programs have variables too: NODE is not MODE, and
 * DATABASE_SSL is not DATABASE_URL.
 */
export function slipOf(name: string, known: readonly string[]): string | undefined {
  const written = lettersOf(name)
  return known.find(other => isSlip(written, lettersOf(other)))
}

/** What is said of an unknown name. It is refused anyway, so the suggestion may be less certain. */
export function notKnown(name: string, kind: string, known: readonly string[]): string {
  const best = slipOf(name, known) ?? nearest(name, known)
  return `${name} is not ${kind}${best === undefined ? '' : `, did you mean ${best}?`}`
}

function nearest(name: string, known: readonly string[]): string | undefined {
  const written = lettersOf(name)
  const best = closest(written, known.map(lettersOf))
  return distance(written, best) <= Math.min(3, best.length / 3)
    ? known.find(other => lettersOf(other) === best)
    : undefined
}

/** The case of letters and how words are joined are no difference. */
function lettersOf(name: string): string {
  return name.toUpperCase().replace(/[^A-Z\d]/g, '')
}

const SHORT = 6
const LONG = 16

function isSlip(written: string, known: string): boolean {
  if (written === known) return true
  if (Math.abs(written.length - known.length) > 2) return false
  const slips = distance(written, known)
  if (slips === 2 && sorted(written) === sorted(known)) return true
  return slips <= (known.length < SHORT ? 0 : known.length < LONG ? 1 : 2)
}

function sorted(letters: string): string {
  return [...letters].sort().join('')
}
