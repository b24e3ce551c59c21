import type { Condition } from '../../schemas/patterns.js'
import { StatusError } from '../errors/public-error.js'
import { isSecretName, MASK } from './masking.js'
import { TakesTooLong, timeBound } from './time-bound.js'

/** What patterns are compared with. */
export interface Searchable {
  /** `undefined` for a member that it does not have. */
  member(name: string): unknown
}

type Wanted = string | number | Condition
type GivenMember = Wanted | Readonly<Record<string, Wanted>> | undefined
export type GivenPattern = Readonly<Record<string, GivenMember>>

/** A member that is not as the pattern wants it. Absent values are `null`. */
export interface Difference {
  readonly member: string
  readonly wanted: unknown
  readonly was: unknown
}

const MOST_EXPRESSIONS = 20
const MAPS: ReadonlySet<string> = new Set(['parameters', 'ignored'])

/** A pattern, ready to be compared with many entries. */
export class Pattern {
  /** As it was given, for texts. */
  readonly given: GivenPattern
  readonly #members: readonly Member[]
  readonly #hasExpressions: boolean

  constructor(given: GivenPattern) {
    this.given = given
    const members = Object.entries(given).flatMap(([name, wanted]) => membersOf(name, wanted))
    // Most requests fall through the cheap ones.
    this.#members = members.sort((one, other) => one.cost - other.cost)
    const expressions = members.filter(({ expression }) => expression !== undefined).length
    if (expressions > MOST_EXPRESSIONS)
      throw new StatusError(400, `pattern: must have at most ${MOST_EXPRESSIONS} regular expressions`, 'pattern')
    this.#hasExpressions = expressions > 0
  }

  names(member: string): boolean {
    return this.given[member] !== undefined
  }

  /** The value that a member has to have, if it is named. */
  exact(member: string): string | number | undefined {
    const wanted = this.given[member]
    return typeof wanted === 'string' || typeof wanted === 'number' ? wanted : undefined
  }

  select<E extends Searchable>(entries: readonly E[]): E[] {
    return this.#within(() => entries.filter(entry => this.#members.every(member => member.holds(entry))))
  }

  /** For each entry, what is not as it is wanted. */
  differences(entries: readonly Searchable[]): Difference[][] {
    return this.#within(() =>
      entries.map(entry =>
        this.#members.filter(member => !member.holds(entry)).map(member => member.difference(entry)),
      ),
    )
  }

  #within<T>(work: () => T): T {
    if (!this.#hasExpressions) return work()
    try {
      return timeBound(work)
    } catch (error) {
      if (!(error instanceof TakesTooLong)) throw error
      throw new StatusError(400, 'pattern: its regular expressions take too long', 'pattern')
    }
  }
}

interface Member {
  readonly cost: number
  readonly expression: RegExp | undefined
  holds(entry: Searchable): boolean
  difference(entry: Searchable): Difference
}

function membersOf(name: string, wanted: GivenMember): Member[] {
  if (wanted === undefined) return []
  if (!MAPS.has(name)) return [memberOf(name, wanted as Wanted, entry => entry.member(name))]
  return Object.entries(wanted).map(([key, one]: [string, Wanted]) =>
    memberOf(`${name}.${key}`, one, entry => {
      const map = entry.member(name)
      return typeof map === 'object' && map !== null && Object.hasOwn(map, key)
        ? ((map as Record<string, unknown>)[key] ?? '')
        : undefined
    }),
  )
}

/** Masking costs something, and so does a look into the database. */
const COSTS: Readonly<Record<string, number>> = {
  tokenId: 3,
  eventId: 3,
  parameters: 2,
  ignored: 2,
  path: 2,
  userAgent: 2,
  message: 2,
  host: 2,
}

function memberOf(place: string, wanted: Wanted, read: (entry: Searchable) => unknown): Member {
  const expression = expressionOf(place, wanted)
  const holds = holder(wanted, expression)
  return {
    cost: COSTS[place.split('.', 1)[0] ?? ''] ?? 1,
    expression,
    holds: entry => holds(read(entry)),
    difference: entry => ({
      member: shownPlace(place),
      wanted: isSecretName(place.slice(place.indexOf('.') + 1)) ? withoutSecret(wanted) : wanted,
      was: read(entry) ?? null,
    }),
  }
}

/** Whether it is there may be said of a secret, and nothing else. */
function withoutSecret(wanted: Wanted): unknown {
  if (typeof wanted !== 'object') return MASK
  return wanted.matches === undefined ? wanted : { ...wanted, matches: MASK }
}

/** A name that is long enough to be a secret may be one. */
function shownPlace(place: string): string {
  return place.replace(/[0-9a-f]{32,}/gi, MASK)
}

function holder(wanted: Wanted, expression: RegExp | undefined): (value: unknown) => boolean {
  if (typeof wanted !== 'object') return value => value === wanted || (Array.isArray(value) && value.includes(wanted))
  const { absent } = wanted
  if (absent !== undefined) return value => (value === undefined || value === null || isEmptyList(value)) === absent
  return value => value !== undefined && [value].flat().some(one => expression?.test(String(one)) === true)
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

function expressionOf(place: string, wanted: Wanted): RegExp | undefined {
  if (typeof wanted !== 'object' || wanted.matches === undefined) return undefined
  const flags = wanted.ignoreCase === true ? 'i' : ''
  // Those with `u` know more; those without it allow more escapes.
  const expression = compiled(wanted.matches, `${flags}u`) ?? compiled(wanted.matches, flags)
  if (expression !== undefined) return expression
  const shown = shownPlace(place)
  const name = /^[\w.…]{1,60}$/.test(shown) ? shown : (place.split('.', 1)[0] ?? '')
  throw new StatusError(400, `${name}.matches: must be a regular expression`, `${name}.matches`)
}

function compiled(source: string, flags: string): RegExp | undefined {
  try {
    return new RegExp(source, flags)
  } catch {
    return undefined
  }
}
