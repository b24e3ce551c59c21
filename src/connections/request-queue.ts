import type { Clock } from '../ground/clock.js'
import { RequestFailure } from './request-failure.js'

/** Whose requests share places with each other: an account, a network. */
export type Party = number | string

export interface RequestQueueParts {
  /** Requests in flight at once. */
  readonly connections: number
  /** Requests that wait for a connection. */
  readonly queue: number
  /** The most connections that one party may have, even where others are free; all of them where it is not given. */
  readonly mostOfOneParty?: number
  readonly clock: Clock
}

/** Where all requests are one party's. */
const ANYBODY = ''

/**
 * So many requests are in flight at once, and so many more wait. Parties share both: a free place goes to the party that
 * has the fewest, in turn among equals, and when the queue is full the party with the most requests in it gives way.
 */
export class RequestQueue {
  readonly #places: number
  readonly #longest: number
  readonly #mostOfOne: number
  readonly #clock: Clock
  readonly #members = new Map<Party, Member>()
  /** Those with requests that wait; the one that was served last is the last. */
  readonly #inQueue = new Set<Member>()
  #inFlight = 0
  #waiting = 0

  constructor({ connections, queue, mostOfOneParty = connections, clock }: RequestQueueParts) {
    this.#places = connections
    this.#longest = queue
    this.#mostOfOne = mostOfOneParty
    this.#clock = clock
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get waiting(): number {
    return this.#waiting
  }

  hasRoom(party: Party = ANYBODY): boolean {
    const member = this.#members.get(party)
    return this.#hasPlaceFor(member) || !this.#isFull() || this.#givingWayTo(member) !== undefined
  }

  /**
   * How many requests will have had their turn before the next one of this party, as far as can be known; 0 where it
   * need not wait.
   */
  turnsBefore(party: Party = ANYBODY): number {
    const member = this.#members.get(party)
    if (this.#hasPlaceFor(member)) return 0
    const own = member?.waiting.size ?? 0
    let turns = own + 1
    for (const other of this.#inQueue) if (other !== member) turns += Math.min(other.waiting.size, own + 1)
    return turns
  }

  /**
   * Takes a place: at once, or when the promise is there. Without a failure the place is taken and must be left again:
   * queue full, not reached in time, or the caller has `gone`.
   */
  enter(
    timeout: number,
    party: Party = ANYBODY,
    gone?: AbortSignal,
  ): RequestFailure | undefined | Promise<RequestFailure | undefined> {
    const member = this.#memberOf(party)
    if (this.#hasPlaceFor(member)) {
      this.#take(member)
      return undefined
    }
    if (this.#isFull()) {
      const givingWay = this.#givingWayTo(member)
      if (givingWay === undefined) {
        this.#forgetIfIdle(member)
        return queueFull()
      }
      // Its newest: that one has waited for the shortest time.
      Array.from(givingWay.waiting).at(-1)?.(queueFull())
    }
    return this.#wait(member, timeout, gone)
  }

  leave(party: Party = ANYBODY): void {
    const member = this.#memberOf(party)
    member.taken -= 1
    this.#inFlight -= 1
    this.#forgetIfIdle(member)
    this.#serveNext()
  }

  #hasPlaceFor(member: Member | undefined): boolean {
    return this.#inFlight < this.#places && (member?.taken ?? 0) < this.#mostOfOne
  }

  #isFull(): boolean {
    return this.#waiting >= this.#longest
  }

  #take(member: Member): void {
    member.taken += 1
    this.#inFlight += 1
  }

  /** The place that was left goes on to the next. */
  #serveNext(): void {
    let next: Member | undefined
    for (const member of this.#inQueue)
      if (this.#hasPlaceFor(member) && (next === undefined || member.taken < next.taken)) next = member
    const [first] = next?.waiting ?? []
    if (next === undefined || first === undefined) return
    this.#inQueue.delete(next)
    this.#inQueue.add(next)
    this.#take(next)
    first(undefined)
  }

  /** The party with the most that wait, where it has more of them than the newcomer's would. */
  #givingWayTo(newcomer: Member | undefined): Member | undefined {
    let longest = newcomer
    for (const member of this.#inQueue) if (member.waiting.size > (longest?.waiting.size ?? 0)) longest = member
    return (longest?.waiting.size ?? 0) > (newcomer?.waiting.size ?? 0) + 1 ? longest : undefined
  }

  #wait(member: Member, timeout: number, gone: AbortSignal | undefined): Promise<RequestFailure | undefined> {
    return new Promise(resolve => {
      const end: Waiter = failure => {
        member.waiting.delete(end)
        this.#waiting -= 1
        if (member.waiting.size === 0) this.#inQueue.delete(member)
        timer.cancel()
        gone?.removeEventListener('abort', leave)
        if (failure !== undefined) this.#forgetIfIdle(member)
        resolve(failure)
      }
      const leave = () => end(new RequestFailure('caller gone'))
      const timer = this.#clock.after(timeout, () => end(new RequestFailure('not reached in time')))
      member.waiting.add(end)
      this.#inQueue.add(member)
      this.#waiting += 1
      gone?.addEventListener('abort', leave)
      if (gone?.aborted === true) leave()
    })
  }

  #memberOf(party: Party): Member {
    const known = this.#members.get(party)
    if (known !== undefined) return known
    const member = { party, taken: 0, waiting: new Set<Waiter>() }
    this.#members.set(party, member)
    return member
  }

  #forgetIfIdle({ party, taken, waiting }: Member): void {
    if (taken === 0 && waiting.size === 0) this.#members.delete(party)
  }
}

/** Ends the waiting: with a place, or with the failure. */
type Waiter = (failure: RequestFailure | undefined) => void

interface Member {
  readonly party: Party
  /** Its places. */
  taken: number
  /** The oldest first. */
  readonly waiting: Set<Waiter>
}

function queueFull(): RequestFailure {
  return new RequestFailure('queue full', { retryAfter: 1 })
}
