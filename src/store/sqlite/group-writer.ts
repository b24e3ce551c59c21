import type Database from 'libsql'
import { dayOf, type Entry, MOST_DAYS_AHEAD, REFUSED, type Uncovered, type UsedUp } from '../engine.js'
import { type GroupStatements, groupStatements, pendingValues, type Service, valuesOf } from './group-statements.js'

/** Writes a group of events in one transaction; of each service that it touches, balance and counts are written once. */
export class GroupWriter {
  readonly #database: Database.Database
  // Made when the first group comes: before, there are no tables yet.
  #statements: GroupStatements | undefined

  constructor(database: Database.Database) {
    this.#database = database
  }

  commit(entries: readonly Entry[]): readonly Uncovered[] {
    this.#statements ??= groupStatements(this.#database)
    const { begin, commit } = this.#statements
    begin.run()
    try {
      const uncovered = new Group(this.#statements).take(entries)
      commit.run()
      return uncovered
    } catch (error) {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }
}

/** One group, inside its transaction. */
class Group {
  readonly #statements: GroupStatements
  readonly #services = new Map<number, Service>()
  readonly #uncovered: Uncovered[] = []

  constructor(statements: GroupStatements) {
    this.#statements = statements
  }

  take(entries: readonly Entry[]): readonly Uncovered[] {
    for (const [place, entry] of entries.entries()) this.#take(entry, place)
    for (const [id, { balance, last_event, quota_day, tokens_today }] of this.#services)
      this.#statements.updateService.run([balance, last_event, quota_day, tokens_today, id])
    return this.#uncovered
  }

  #take(entry: Entry, place: number): void {
    const service = this.#serviceOf(entry)
    if (service === undefined) {
      this.#takeWithoutService(entry, place)
      return
    }
    if (entry.step === 'append') this.#append(service, entry)
    else if (entry.step === 'redeem') this.#redeem(service, entry, place)
    else if (entry.step === 'keep' || entry.step === 'refund') this.#settle(service, entry, place)
    else this.#charge(service, entry, place)
  }

  /** An account takes its pending tokens along when it is removed. */
  #takeWithoutService({ step }: Entry, place: number): void {
    if (step !== 'keep' && step !== 'refund') throw new Error('an event of a service that does not exist')
    this.#uncovered.push({ place, why: 'settled before' })
  }

  #charge(service: Service, entry: Entry, place: number): void {
    const why = charge(service, dayOf(entry.time), entry.step === 'issue unpaid' ? 0 : 1)
    if (why !== undefined) this.#uncovered.push({ place, why })
    if (why !== undefined) this.#append(service, { ...entry, ...REFUSED })
    else if (entry.step === 'reserve') this.#statements.insertPending.run(pendingValues(entry, service.quota_day))
    else this.#append(service, entry)
  }

  #redeem(service: Service, entry: Entry, place: number): void {
    const { service_id, token_id, redemption } = entry
    if (redemption === undefined) throw new Error('a redemption without its limit')
    const { pays, expiresAt, most } = redemption
    const cost = pays && this.#statements.findRedemption.all([service_id, token_id]).length === 0 ? 1 : 0
    if (service.balance < cost) {
      this.#uncovered.push({ place, why: 'balance used up' })
      return
    }
    const counted = this.#statements.countRedemption.run([service_id, token_id, expiresAt, most])
    if (counted === 0) {
      this.#uncovered.push({ place, why: 'redeemed too often' })
      return
    }
    service.balance -= cost
    this.#append(service, entry)
  }

  /** Where the pending token is gone it was settled before. Its day matters only to one that is given back. */
  #settle(service: Service, entry: Entry, place: number): void {
    const day = entry.step === 'refund' ? this.#dayOf(entry) : undefined
    if (this.#statements.deletePending.run([entry.pending_id]) === 0) {
      this.#uncovered.push({ place, why: 'settled before' })
      return
    }
    if (day !== undefined) giveBack(service, day)
    this.#append(service, entry)
  }

  #dayOf({ pending_id }: Entry): number | undefined {
    const [row] = this.#statements.findPending.all([pending_id])
    return (row as { quota_day: number } | undefined)?.quota_day // what the statement selects
  }

  #append(service: Service, entry: Entry): void {
    service.last_event += 1
    const { insertEvent, insertInjected } = this.#statements
    const insert = entry.injected === undefined ? insertEvent : insertInjected
    insert.run(valuesOf(entry, service.last_event))
  }

  #serviceOf({ service_id }: Entry): Service | undefined {
    const known = this.#services.get(service_id)
    if (known !== undefined) return known
    const [row] = this.#statements.findService.all([service_id])
    if (row === undefined) return undefined
    const service = row as Service // what the statement selects
    this.#services.set(service_id, service)
    return service
  }
}

/** Takes one token of the day and its cost from the balance, or returns why none is left. */
function charge(service: Service, day: number, cost: number): UsedUp | undefined {
  if (service.balance < 1) return 'balance used up'
  const isNewDay = day > service.quota_day || service.quota_day > day + MOST_DAYS_AHEAD
  const tokensToday = isNewDay ? 0 : service.tokens_today
  if (service.tokens_per_day !== null && tokensToday >= service.tokens_per_day) return 'quota used up'
  service.balance -= cost
  service.tokens_today = tokensToday + 1
  if (isNewDay) service.quota_day = day
  return undefined
}

function giveBack(service: Service, day: number): void {
  service.balance += 1
  if (service.quota_day === day) service.tokens_today -= 1
}
