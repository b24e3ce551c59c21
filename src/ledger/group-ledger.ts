import { type Randomness, randomBytes } from '../randomness.js'
import type { Entry, UsedUp } from '../store/engine.js'
import type { EventRepository } from '../store/events.js'
import { entryOf } from './entry.js'
import type { Ledger, LedgerEvent, Reservation } from './ledger.js'

/** So many go at once; fewer wait until the requests that have arrived with them had their turn to join. */
const ENOUGH = 16
const LARGEST_GROUP = 256
/** One is being committed and the next is on its way, so that neither the database nor the requests stand still. */
const MOST_UNDER_WAY = 2
/** More than anybody will ever draw twice. */
const ID_BYTES = 15
/** With so many waiting, the database can't keep up, and more would only wait in vain. */
const MOST_WAITING = 20_000

/**
 * Requests that come together share a transaction: while groups are being committed the next one gathers. So
 * durability costs a request one commit's time, and not each request a commit.
 */
export class GroupLedger implements Ledger {
  readonly #events: EventRepository
  readonly #random: Randomness
  #waiting: Waiting[] = []
  #underWay = 0
  #isScheduled = false

  constructor(events: EventRepository, random: Randomness) {
    this.#events = events
    this.#random = random
  }

  async recordIssue(event: LedgerEvent): Promise<'recorded' | UsedUp> {
    return (await this.#join(entryOf(event, 'issue'))) ?? 'recorded'
  }

  async append(event: LedgerEvent): Promise<void> {
    await this.#join(entryOf(event, 'append'))
  }

  async reserve(event: LedgerEvent): Promise<Reservation | UsedUp> {
    // Request ids would not do: callers may choose them.
    const id = randomBytes(this.#random, ID_BYTES).toString('base64url')
    return (await this.#join(entryOf(event, 'reserve', id))) ?? { id }
  }

  async settle({ id }: Reservation, event: LedgerEvent): Promise<void> {
    await this.#join(entryOf(event, event.event === 'token_refused' ? 'refund' : 'keep', id))
  }

  #join(entry: Entry): Promise<UsedUp | undefined> {
    if (this.#waiting.length >= MOST_WAITING) return Promise.reject(new Error('too many wait for the ledger'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject })
      if (this.#waiting.length >= ENOUGH) this.#startGroups()
      else if (!this.#isScheduled) {
        this.#isScheduled = true
        setImmediate(() => {
          this.#isScheduled = false
          this.#startGroups()
        })
      }
    })
  }

  #startGroups(): void {
    while (this.#waiting.length > 0 && this.#underWay < MOST_UNDER_WAY) {
      const group = this.#waiting.length <= LARGEST_GROUP ? this.#waiting : this.#waiting.slice(0, LARGEST_GROUP)
      this.#waiting = this.#waiting.slice(group.length)
      this.#underWay += 1
      void this.#commit(group)
    }
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    try {
      const uncovered = await this.#events.commit(group.map(({ entry }) => entry))
      for (const { place, why } of uncovered) group[place]?.resolve(why)
      for (const { resolve } of group) resolve(undefined) // where nothing is resolved yet
    } catch (error) {
      // With those who wait meanwhile: a failure can take seconds, and none shall see two of them.
      for (const { reject } of [...group, ...this.#waiting.splice(0)]) reject(error)
    }
    this.#underWay -= 1
    this.#startGroups()
  }
}

interface Waiting {
  readonly entry: Entry
  resolve(usedUp: UsedUp | undefined): void
  reject(error: unknown): void
}
