import { UNAVAILABLE } from '../errors/public-error.js'
import type { Charge } from '../ground/account-choices.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'
import type { CountedRedemption, Entry, NotCovered, UsedUp } from '../store/engine.js'
import type { EventRepository } from '../store/event-repository.js'
import { type PendingTokenRow, serviceId } from '../store/tables.js'
import { answerGroup, type EventListener, failGroup, nextGroup, type QueuedEntry } from './group-queue.js'
import { type Ledger, type LedgerEvent, type NotRedeemed, type Reservation, UnansweredReservation } from './ledger.js'
import { LockedServices } from './locked-services.js'

/** A group of this size starts at once, so that the database does not wait for the rest of a long turn. */
const FULL_GROUP = 32
/** One group commits while the next is sent, so that neither the database nor the requests idle. */
const MAX_IN_FLIGHT = 2
/** Enough random bytes to never collide. */
const ID_BYTES = 15
/** With this many in the queue the database cannot keep up, and more would only time out. */
const MAX_QUEUED = 20_000

/**
 * Group commit: requests that arrive together share a transaction, and the next group gathers while others commit. So a
 * durable event costs the time of a commit, but not a commit for each request.
 */
export class GroupLedger implements Ledger {
  readonly #events: EventRepository
  readonly #random: Randomness
  readonly #listener: EventListener
  readonly #locked: LockedServices
  #waiting: QueuedEntry[] = []
  #inFlight = 0
  #isScheduled = false

  /** Every event goes through here, so the listener hears of all of them. */
  constructor(events: EventRepository, random: Randomness, listener: EventListener = () => {}) {
    this.#events = events
    this.#random = random
    this.#listener = listener
    this.#locked = new LockedServices(events, listener)
  }

  async recordIssue(event: LedgerEvent, charge: Charge): Promise<'recorded' | UsedUp> {
    return (await this.#takeToken(entryOf(event, charge === 'issue' ? 'issue' : 'issue unpaid'))) ?? 'recorded'
  }

  async append(event: LedgerEvent): Promise<void> {
    const entry = entryOf(event, 'append')
    await this.#join(event.isInjected ? { ...entry, injected: 1 } : entry)
  }

  /** The cast: a redemption has no quota, and is settled at once. */
  async redeem(event: LedgerEvent, redemption: CountedRedemption): Promise<'recorded' | NotRedeemed> {
    const why = await this.#join(Object.assign(entryOf(event, 'redeem'), { redemption }))
    return (why as NotRedeemed | undefined) ?? 'recorded'
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
  #takeToken(entry: Entry, unanswered?: QueuedEntry['unanswered']): Promise<UsedUp | undefined> {
    return this.#join(entry, unanswered) as Promise<UsedUp | undefined>
  }

  #join(entry: Entry, unanswered?: QueuedEntry['unanswered']): Promise<NotCovered | undefined> {
    if (this.#waiting.length >= MAX_QUEUED) return Promise.reject(new Error('too many wait for the ledger'))
    return new Promise((resolve, reject) => {
      const waiting = { entry, resolve, reject, unanswered }
      if (this.#locked.has(entry)) return this.#locked.add(waiting)
      this.#waiting.push(waiting)
      if (this.#waiting.length >= FULL_GROUP) return this.#startGroups()
      if (this.#isScheduled) return
      this.#isScheduled = true
      // Once every request of this turn of the event loop has got this far.
      process.nextTick(() => {
        this.#isScheduled = false
        this.#startGroups()
      })
    })
  }

  /** Queued entries of a locked service would delay the next group. */
  #moveLocked(): void {
    for (const waiting of this.#waiting) if (this.#locked.has(waiting.entry)) this.#locked.add(waiting)
    this.#waiting = this.#waiting.filter(({ entry }) => !this.#locked.has(entry))
  }

  #startGroups(): void {
    while (this.#waiting.length > 0 && this.#inFlight < MAX_IN_FLIGHT) {
      const { group, rest } = nextGroup(this.#waiting)
      this.#waiting = rest
      this.#inFlight += 1
      void this.#commit(group)
    }
  }

  async #commit(group: readonly QueuedEntry[]): Promise<void> {
    try {
      const uncovered = await this.#events.commit(group.map(({ entry }) => entry))
      const locked = answerGroup(group, uncovered, this.#listener)
      for (const waiting of locked) this.#locked.add(waiting)
      if (locked.length > 0) this.#moveLocked()
    } catch (error) {
      // Also the entries that queued meanwhile: a failure can take seconds, and no request should wait for two.
      failGroup(group, error)
      for (const { reject } of this.#waiting.splice(0)) reject(error)
    }
    this.#inFlight -= 1
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
