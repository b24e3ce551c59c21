import { read } from '../../schemas/admin.js'
import {
  type FaultEffect,
  type FaultEffectInput,
  type FaultInput,
  MOST_FAULTS,
  type NewFault,
  newFault,
  newFaults,
  type ShownFault,
} from '../../schemas/faults.js'
import { StatusError } from '../errors/public-error.js'
import type { Clock } from '../ground/clock.js'
import { type Randomness, randomFraction } from '../ground/randomness.js'
import { ActiveFault, type Turn } from './active-fault.js'
import { isDocumented } from './documented-codes.js'
import type { Endpoint } from './endpoint.js'
import { FaultRule, type FaultRuleParts, isSameRoute, mayMean, type SavedFault } from './fault-rule.js'
import { mayOrderFault, orderedFault } from './ordered-faults.js'
import { type ReadRequest, RequestFacts, type RequestFactsParts } from './request-facts.js'
import type { ServerFaults } from './server-controls.js'

export interface FaultsParts extends RequestFactsParts {
  readonly clock: Clock
  readonly random: Randomness
  /** Whether requests may order faults for themselves, in headers or a cookie: EMULATE_HEADERS. */
  readonly takesOrders: boolean
  /** Whether tokens are made here, and not replayed. */
  readonly makesTokens: boolean
}

/** A route as HTTP knows it. */
export interface FaultRoute {
  readonly url: string
  readonly endpoint: Endpoint
}

/** The rules of the faults that are injected: the first that matches a request acts on it. */
export class Faults implements ServerFaults {
  /** Called after every change of the rules, and when one has acted. */
  readonly changed = new Set<() => void>()
  readonly #parts: FaultsParts
  /** Those of every application. */
  readonly #routes: (() => readonly FaultRoute[])[] = []
  #rules: readonly FaultRule[] = []
  #ids = 0

  constructor(parts: FaultsParts) {
    this.#parts = parts
  }

  list(): ShownFault[] {
    return this.#rules.map(rule => rule.show())
  }

  /** Replaces all rules; `[]` clears them. */
  set(rules: readonly FaultInput[]): ShownFault[] {
    const given = read(newFaults, rules)
    for (const [place, rule] of given.entries()) this.#check(rule, `[${place}].`)
    this.#change(this.#made(given))
    return this.list()
  }

  /** Adds a rule behind the others. */
  add(rule: FaultInput): ShownFault {
    const given = read(newFault, rule)
    this.#check(given, '')
    if (this.#rules.some(({ id }) => id === given.id))
      throw new StatusError(409, 'There is a rule with this id already', 'id')
    if (this.#rules.length >= MOST_FAULTS) throw new StatusError(409, `There are ${MOST_FAULTS} rules already`)
    const [made] = this.#made([given])
    if (made === undefined) throw new Error('one rule makes one')
    this.#change([...this.#rules, made])
    return made.show()
  }

  /** Adds a rule, or an effect for any request, that acts once. */
  once(what: FaultEffectInput | Omit<FaultInput, 'times'>): ShownFault {
    return this.add({ ...('effect' in what ? what : { effect: what }), times: 1 })
  }

  remove(id: string): void {
    const others = this.#rules.filter(rule => rule.id !== id)
    if (others.length === this.#rules.length) throw new StatusError(404, 'There is no rule with this id', 'id')
    this.#change(others)
  }

  clear(): void {
    this.#change([])
  }

  /** Those that name this customer. */
  clearOf(customerId: number): void {
    this.#change(this.#rules.filter(({ rule }) => rule.match.customer !== customerId))
  }

  /** The rules with where each stands, for `restore`. */
  save(): SavedFault[] {
    return this.#rules.map(rule => rule.save())
  }

  restore(saved: readonly SavedFault[]): void {
    this.#change(saved.map(({ acted, passed, drawn, ...rule }) => this.#rule(rule.id, rule, { acted, passed, drawn })))
  }

  /** An application says which routes it has when they are asked for: it may not have all of them yet. */
  knowRoutes(routes: () => readonly FaultRoute[]): void {
    this.#routes.push(routes)
  }

  /** Whether a fault could be chosen for this request. Nearly always it is not, so this must cost nothing. */
  mayActOn(request: ReadRequest, endpoint: Endpoint): boolean {
    if (endpoint.kind === 'administration') return false
    return this.#rules.length > 0 || (this.#parts.takesOrders && mayOrderFault(request, endpoint))
  }

  /** The fault of this request, with its delay; it has taken a turn of its rule. */
  async choose(request: ReadRequest, { url, endpoint }: FaultRoute): Promise<ChosenFault | undefined> {
    const ordered = this.#parts.takesOrders ? orderedFault(request, endpoint) : undefined
    const start = (id: string, effect: FaultEffect, turn?: Turn) =>
      new ActiveFault({ id, effect, endpoint, route: url, turn, clock: this.#parts.clock })
    const facts = new RequestFacts(endpoint, url, request, this.#parts)
    if (ordered !== undefined)
      return { fault: start(ordered.id, ordered.effect), delay: ordered.effect.delayMs ?? 0, facts }
    const canAct = (rule: FaultRule) => this.#canAct(rule.rule.effect, endpoint) && rule.isFor(facts)
    const asksCustomer = this.#rules.some(rule => rule.asksCustomer && canAct(rule))
    const customer = asksCustomer ? await facts.customer() : undefined
    const rule = this.#rules.find(rule => canAct(rule) && rule.isOfCustomer(customer) && rule.takeTurn())
    return rule && { fault: start(rule.id, rule.rule.effect, rule.turn), delay: rule.delay(), facts }
  }

  #canAct({ errorCode, database, token, lost }: FaultEffect, endpoint: Endpoint): boolean {
    if (errorCode !== undefined) return isDocumented(errorCode, endpoint)
    if (database !== undefined) return endpoint.kind !== 'other'
    if (token !== undefined) return endpoint.kind === 'token' || endpoint.kind === 'entitlement'
    return lost === undefined || endpoint.kind !== 'readiness'
  }

  /** A rule that could never act is a mistake. */
  #check({ match, effect }: NewFault, place: string): void {
    const routes = this.#routes.flatMap(routes => routes()).filter(({ endpoint }) => endpoint.kind !== 'administration')
    const { route } = match
    const meant = route === undefined ? routes : routes.filter(({ url }) => isSameRoute(url, route))
    if (meant.length === 0) {
      const message = `${place}match.route: this server has no such route, or none where faults act`
      throw new StatusError(400, message, `${place}match.route`)
    }
    if (effect.token !== undefined && !this.#parts.makesTokens) {
      const message = `${place}effect.token: it needs MODE=emulate, which makes tokens itself`
      throw new StatusError(400, message, `${place}effect.token`)
    }
    const there = meant.filter(({ endpoint }) => mayMean(match, endpoint))
    if (there.some(({ endpoint }) => this.#canAct(effect, endpoint))) return
    const [member] = (['errorCode', 'database', 'token', 'lost'] as const).filter(name => effect[name] !== undefined)
    const field = `${place}effect.${member ?? 'delayMs'}`
    const message =
      member === 'errorCode'
        ? 'no endpoint that is meant documents this error code'
        : 'no endpoint that is meant has it'
    throw new StatusError(400, `${field}: ${message}`, field)
  }

  #made(given: readonly NewFault[]): FaultRule[] {
    return given.map(rule => this.#rule(rule.id ?? this.#newId(given), rule))
  }

  #rule(id: string, rule: NewFault, saved?: FaultRuleParts['saved']): FaultRule {
    const chance = () => randomFraction(this.#parts.random)
    return new FaultRule(id, rule, { chance, changed: () => this.#tell(), saved })
  }

  #newId(given: readonly NewFault[]): string {
    for (;;) {
      this.#ids += 1
      const id = `fault-${this.#ids}`
      if (![...given, ...this.#rules].some(rule => rule.id === id)) return id
    }
  }

  #change(rules: readonly FaultRule[]): void {
    this.#rules = rules
    this.#tell()
  }

  #tell(): void {
    for (const listener of this.changed) listener()
  }
}

export interface ChosenFault {
  readonly fault: ActiveFault
  /** Milliseconds to wait before anything else. */
  readonly delay: number
  readonly facts: RequestFacts
}
