import { UNAVAILABLE } from '../errors/public-error.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'
import type { Entry, NotCovered, RedemptionLimit, UsedUp } from '../store/engine.js'
import type { EventRepository } from '../store/event-repository.js'
import { type PendingTokenRow, serviceId } from '../store/tables.js'
import { answerGroup, type EventListener, failGroup, nextGroup, type Waiting } from './group-queue.js'
import { type Ledger, type LedgerEvent, type Reservation, UnansweredReservation } from './ledger.js'
import { LockedServices } from './locked-services.js'

/** So many go at once; fewer wait until the requests that have arrived with them had their turn to join. */
const ENOUGH = 16
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
  readonly #listener: EventListener
  readonly #locked: LockedServices
  #waiting: Waiting[] = []
  #underWay = 0
  #isScheduled = false

  /** Every event goes through here, so the listener hears of all of them. */
  constructor(events: EventRepository, random: Randomness, listener: EventListener = () => {}) {
    this.#events = events
    this.#random = random
    this.#listener = listener
    this.#locked = new LockedServices(events, listener)
  }

  async recordIssue(event: LedgerEvent): Promise<'recorded' | UsedUp> {
    return (await this.#takeToken(entryOf(event, 'issue'))) ?? 'recorded'
  }

  async append(event: LedgerEvent): Promise<void> {
    await this.#join(entryOf(event, 'append'))
  }

  async redeem(event: LedgerEvent, redemption: RedemptionLimit): Promise<'recorded' | 'redeemed too often'> {
    const why = await this.#join({ ...entryOf(event, 'redeem'), redemption })
    return why === undefined ? 'recorded' : 'redeemed too often'
  }

  async reserve(event: LedgerEvent): Promise<Reservation | UsedUp> {
    // Request ids would not do: callers may choose them.
    const id = randomBytes(this.#random, ID_BYTES).toString('base64url')
    const unanswered = (error: unknown) => new UnansweredReservation({ id }, error)
    return (await this.#takeToken(entryOf(event, 'reserve', id), unanswered)) ?? { id }
  }

  async settle({ id }: Reservation, event: LedgerEvent): Promise<void> {
    await this.#join(entryOf(event, event.event === 'token_refused' ? 'refund' : 'keep', id))
  }

  async settleAbandoned({ id, quota_day: _, ...token }: PendingTokenRow, time: number): Promise<void> {
    const unknown = { event: 'token_unknown', token_id: null, error_code: UNAVAILABLE } as const
    await this.#join({ ...token, ...unknown, time, step: 'keep', pending_id: id })
  }

  /** The cast: what takes a token is no redemption. */
  #takeToken(entry: Entry, unanswered?: Waiting['unanswered']): Promise<UsedUp | undefined> {
    return this.#join(entry, unanswered) as Promise<UsedUp | undefined>
  }

  #join(entry: Entry, unanswered?: Waiting['unanswered']): Promise<NotCovered | undefined> {
    if (this.#waiting.length >= MOST_WAITING) return Promise.reject(new Error('too many wait for the ledger'))
    return new Promise((resolve, reject) => {
      const waiting = { entry, resolve, reject, unanswered }
      if (this.#locked.has(entry)) return this.#locked.add(waiting)
      this.#waiting.push(waiting)
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

  /** Entries of a locked service that wait already would hold up the next group. */
  #leaveLocked(): void {
    for (const waiting of this.#waiting) if (this.#locked.has(waiting.entry)) this.#locked.add(waiting)
    this.#waiting = this.#waiting.filter(({ entry }) => !this.#locked.has(entry))
  }

  #startGroups(): void {
    while (this.#waiting.length > 0 && this.#underWay < MOST_UNDER_WAY) {
      const { group, rest } = nextGroup(this.#waiting)
      this.#waiting = rest
      this.#underWay += 1
      void this.#commit(group)
    }
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    try {
      const uncovered = await this.#events.commit(group.map(({ entry }) => entry))
      const locked = answerGroup(group, uncovered, this.#listener)
      for (const waiting of locked) this.#locked.add(waiting)
      if (locked.length > 0) this.#leaveLocked()
    } catch (error) {
      // With those who wait meanwhile: a failure can take seconds, and none shall see two of them.
      failGroup(group, error)
      for (const { reject } of this.#waiting.splice(0)) reject(error)
    }
    this.#underWay -= 1
    this.#startGroups()
  }
}

/** An event and the step that is taken with it, as the store takes both. Written out: it is made for every token. */
function entryOf(event: LedgerEvent, step: Entry['step'], pendingId: string | null = null): Entry {
  return {
    service_id: serviceId(event.customerId, event.environment),
    step,
    pending_id: pendingId,
    time: event.time,
    event: event.event,
    drm: event.drm,
    token_id: event.tokenId ?? null,
    kids: event.kids.join(','),
    cookie: event.cookie ?? null,
    device_id: event.deviceId ?? null,
    ip_address: event.ipAddress ?? null,
    rights_type: event.rightsType ?? null,
    error_code: event.errorCode,
    request_id: event.requestId,
  }
}
