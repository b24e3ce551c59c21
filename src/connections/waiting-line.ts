/** Why somebody gets no turn. */
export type NoTurn = 'line full' | 'too late'

/** Whose requests share places with each other: an account, a network. */
type Party = number | string

/** Where all requests are one party's. */
const ANYBODY = ''

/**
 * A host gets so many requests at once; so many more wait for their turn. Parties share both: a free place goes to the
 * party that has the fewest, in turn among equals, and when the line is full the longest of its parties gives way. Who
 * gets no turn is told so by an error of the line's owner.
 */
export class WaitingLine {
  readonly #places: number
  readonly #longest: number
  readonly #mostOfOne: number
  readonly #refusal: (why: NoTurn) => Error
  readonly #members = new Map<Party, Member>()
  /** Those of whom somebody waits; who was served last is the last. */
  readonly #inLine = new Set<Member>()
  #taken = 0
  #waiting = 0

  /** No party has more than `mostOfOne` places, even where others are free. */
  constructor(places: number, longest: number, refusal: (why: NoTurn) => Error, mostOfOne = places) {
    this.#places = places
    this.#longest = longest
    this.#refusal = refusal
    this.#mostOfOne = mostOfOne
  }

  get underWay(): number {
    return this.#taken
  }

  get waiting(): number {
    return this.#waiting
  }

  requireRoom(party: Party = ANYBODY): void {
    const member = this.#members.get(party)
    if (!this.#hasPlaceFor(member) && this.#isFull() && this.#givingWayTo(member) === undefined)
      throw this.#refusal('line full')
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
    for (const other of this.#inLine) if (other !== member) turns += Math.min(other.waiting.size, own + 1)
    return turns
  }

  /** Takes a place: at once, or when the promise resolves. Whoever has one must leave it. `gone` ends the waiting. */
  enter(timeout: number, gone?: AbortSignal, party: Party = ANYBODY): Promise<void> | undefined {
    const member = this.#memberOf(party)
    if (this.#hasPlaceFor(member)) {
      this.#take(member)
      return undefined
    }
    if (this.#isFull()) this.#makeRoom(member)
    return this.#turn(member, timeout, gone)
  }

  leave(party: Party = ANYBODY): void {
    const member = this.#memberOf(party)
    member.taken -= 1
    this.#taken -= 1
    this.#forgetIfIdle(member)
    this.#serveNext()
  }

  #hasPlaceFor(member: Member | undefined): boolean {
    return this.#taken < this.#places && (member?.taken ?? 0) < this.#mostOfOne
  }

  #isFull(): boolean {
    return this.#waiting >= this.#longest
  }

  #take(member: Member): void {
    member.taken += 1
    this.#taken += 1
  }

  /** The place that was left goes on to the next. */
  #serveNext(): void {
    let next: Member | undefined
    for (const member of this.#inLine)
      if (this.#hasPlaceFor(member) && (next === undefined || member.taken < next.taken)) next = member
    const [first] = next?.waiting ?? []
    if (next === undefined || first === undefined) return
    this.#inLine.delete(next)
    this.#inLine.add(next)
    this.#take(next)
    first.proceed()
  }

  /** The party with the most who wait, where it has more of them than the newcomer's would. */
  #givingWayTo(newcomer: Member | undefined): Member | undefined {
    let longest = newcomer
    for (const member of this.#inLine) if (member.waiting.size > (longest?.waiting.size ?? 0)) longest = member
    return (longest?.waiting.size ?? 0) > (newcomer?.waiting.size ?? 0) + 1 ? longest : undefined
  }

  /** Its newest gives way: that one has waited for the shortest time. */
  #makeRoom(newcomer: Member): void {
    const waiting = [...(this.#givingWayTo(newcomer)?.waiting ?? [])]
    const newest = waiting.at(-1)
    const refusal = this.#refusal('line full')
    if (newest === undefined) {
      this.#forgetIfIdle(newcomer)
      throw refusal
    }
    newest.giveUp(refusal)
  }

  #turn(member: Member, timeout: number, gone: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        member.waiting.delete(waiter)
        this.#waiting -= 1
        if (member.waiting.size === 0) this.#inLine.delete(member)
        clearTimeout(timer)
        gone?.removeEventListener('abort', leave)
      }
      const waiter: Waiter = {
        proceed: () => {
          end()
          resolve()
        },
        giveUp: reason => {
          end()
          this.#forgetIfIdle(member)
          reject(reason)
        },
      }
      const leave = () => waiter.giveUp(gone?.reason)
      const timer = setTimeout(() => waiter.giveUp(this.#refusal('too late')), timeout)
      member.waiting.add(waiter)
      this.#inLine.add(member)
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

interface Member {
  readonly party: Party
  /** Its places. */
  taken: number
  /** The oldest first. */
  readonly waiting: Set<Waiter>
}

interface Waiter {
  proceed(): void
  giveUp(reason: unknown): void
}
