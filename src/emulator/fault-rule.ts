import type { FaultMatch, NewFault, ShownFault } from '../../schemas/faults.js'
import type { Turn } from './active-fault.js'
import { type Endpoint, isOfService } from './endpoint.js'
import { plainKid, type RequestFacts } from './request-facts.js'

/** A rule, and how often it has acted. */
export class FaultRule {
  readonly id: string
  readonly rule: NewFault
  readonly #kid: string | undefined
  readonly #randomChance: () => number
  readonly turn: Turn
  #passed: number
  #taken: number
  #acted: number
  #drawn: number

  constructor(id: string, rule: NewFault, { chance, changed, saved }: FaultRuleParts) {
    this.id = id
    this.rule = rule
    this.#kid = rule.match.kid === undefined ? undefined : plainKid(rule.match.kid)
    this.#randomChance = chance
    const { acted = 0, passed = acted > 0 ? rule.after : 0, drawn = 0 } = saved ?? {}
    this.#acted = acted
    this.#taken = acted
    this.#passed = passed
    this.#drawn = drawn
    this.turn = {
      acted: () => {
        this.#acted += 1
        changed()
      },
      giveBack: () => {
        this.#taken -= 1
      },
    }
  }

  get asksCustomer(): boolean {
    return this.rule.match.customer !== undefined
  }

  show(): ShownFault {
    return { ...this.rule, id: this.id, acted: this.#acted }
  }

  save(): SavedFault {
    return { ...this.show(), passed: this.#passed, drawn: this.#drawn }
  }

  /** Whether it matches this request, its customer aside. */
  isFor(facts: RequestFacts): boolean {
    const { route, method, drm, environment, cookie } = this.rule.match
    if (!isForRoute(this.rule.match, facts)) return false
    if (method !== undefined && method !== facts.method) return false
    if (drm !== undefined && drm !== facts.drm) return false
    if (environment !== undefined && environment !== facts.environment) return false
    if (cookie !== undefined && cookie !== facts.cookie) return false
    if (this.#kid !== undefined && !facts.kids.includes(this.#kid)) return false
    return route !== undefined || isOfService(facts.endpoint)
  }

  isOfCustomer(customer: number | undefined): boolean {
    return !this.asksCustomer || this.rule.match.customer === customer
  }

  /** Counts a request that matches, and says whether this rule acts on it. */
  takeTurn(): boolean {
    const { after, times = Number.POSITIVE_INFINITY, probability } = this.rule
    if (this.#passed < after) {
      this.#passed += 1
      return false
    }
    if (this.#taken >= times) return false
    if (probability < 1 && this.#chance() >= probability) return false
    this.#taken += 1
    return true
  }

  /** From `delayMs - jitterMs` to `delayMs + jitterMs`. */
  delay(): number {
    const { delayMs = 0, jitterMs = 0 } = this.rule.effect
    return jitterMs === 0 ? delayMs : Math.max(0, delayMs + (this.#chance() * 2 - 1) * jitterMs)
  }

  /** From 0 to 1, without 1. */
  #chance(): number {
    const { seed } = this.rule
    if (seed === undefined) return this.#randomChance()
    this.#drawn += 1
    return numberInSeries(seed, this.#drawn)
  }
}

/** A rule with where it stands, for a snapshot. */
export interface SavedFault extends ShownFault {
  /** How many requests it has let pass for its `after`. */
  readonly passed?: number | undefined
  /** How many chances of its seed's series it has used. */
  readonly drawn?: number | undefined
}

export interface FaultRuleParts {
  readonly chance: () => number
  /** Called when it has acted. */
  readonly changed: () => void
  /** Where it stands. */
  readonly saved?: Pick<SavedFault, 'acted' | 'passed' | 'drawn'> | undefined
}

/** The names of parameters are no difference, nor is a final slash: every endpoint answers with and without it. */
export function isSameRoute(one: string, other: string): boolean {
  return shapeOf(one) === shapeOf(other)
}

/** Whether the endpoint can be meant. */
export function mayMean({ drm }: FaultMatch, endpoint: Endpoint): boolean {
  return drm === undefined || !('family' in endpoint) || endpoint.family.drm === drm
}

function isForRoute({ route }: FaultMatch, facts: RequestFacts): boolean {
  return route === undefined || isSameRoute(route, facts.route)
}

function shapeOf(route: string): string {
  return route.replace(/:\w+|\{\w+\}/g, '{}').replace(/(?<=.)\/$/, '')
}

/** Mulberry32: a small generator whose numbers depend on the seed and the place in the series alone. */
function numberInSeries(seed: number, place: number): number {
  const state = (seed + Math.imul(place, 0x6d2b79f5)) | 0
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}
