import type { Clock } from '../ground/clock.js'
import type { MaybePromise } from '../ground/maybe-promise.js'
import { RequestFailure } from './request-failure.js'

/** The requests of a party share places: an account, a network. */
export type Party = number | string

export interface RequestQueueParts {
  /** Requests in flight at once. */
  readonly connections: number
  /** Requests that may wait for a connection. */
  readonly queue: number
  /** The most connections for one party, even if others are free. Default: all. */
  readonly maxPerParty?: number
  readonly clock: Clock
}

/** The party of requests without one. */
const NO_PARTY = ''

/**
 * Limits the requests in flight and queues a limited number of others. Parties share both: a free place goes to the
 * party with the fewest, round-robin among equals; when the queue is full, the party with the most requests in it gives
 * way.
 */
export class RequestQueue {
  readonly #places: number
  readonly #maxWaiting: number
  readonly #maxPerParty: number
  readonly #clock: Clock
  readonly #members = new Map<Party, Member>()
  /** Members with waiting requests; the most recently served one is last. */
  readonly #inQueue = new Set<Member>()
  #inFlight = 0
  #waiting = 0

  constructor({ connections, queue, maxPerParty = connections, clock }: RequestQueueParts) {
    this.#places = connections
    this.#maxWaiting = queue
    this.#maxPerParty = maxPerParty
    this.#clock = clock
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get waiting(): number {
    return this.#waiting
  }

  hasRoom(party: Party = NO_PARTY): boolean {
    const member = this.#members.get(party)
    return this.#hasPlaceFor(member) || !this.#isFull() || this.#givingWayTo(member) !== undefined
  }

  /**
   * An estimate of how many requests are served up to and including this party's next one; 0 when it need not wait.
   */
  requestsAhead(party: Party = NO_PARTY): number {
    const member = this.#members.get(party)
    if (this.#hasPlaceFor(member)) return 0
    const own = member?.waiting.size ?? 0
    let ahead = own + 1
    for (const other of this.#inQueue) if (other !== member) ahead += Math.min(other.waiting.size, own + 1)
    return ahead
  }

  /**
   * Takes a place: at once, or when the promise resolves. Without a failure the caller must `leave` the place again.
   * Failures: queue full, not reached in time, or `gone` was aborted.
   */
  enter(timeout: number, party: Party = NO_PARTY, gone?: AbortSignal): MaybePromise<RequestFailure | undefined> {
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
      // Its newest request gives way: it has waited for the shortest time.
      Array.from(givingWay.waiting).at(-1)?.(queueFull())
    }
    return this.#wait(member, timeout, gone)
  }

  leave(party: Party = NO_PARTY): void {
    const member = this.#memberOf(party)
    member.taken -= 1
    this.#inFlight -= 1
    this.#forgetIfIdle(member)
    this.#serveNext()
  }

  #hasPlaceFor(member: Member | undefined): boolean {
    return this.#inFlight < this.#places && (member?.taken ?? 0) < this.#maxPerParty
  }

  #isFull(): boolean {
    return this.#waiting >= this.#maxWaiting
  }

  #take(member: Member): void {
    member.taken += 1
    this.#inFlight += 1
  }

  /** Passes a free place on to the next request. */
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

  /** The party with the most waiting requests, if it has more than the newcomer would have. */
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

/** Ends the wait with a place or a failure. */
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
