import type { IssuedToken } from '../drm/family.js'
import { PublicError } from '../errors/public-error.js'
import type { Clock } from '../ground/clock.js'
import type { KeyClaim } from '../store/idempotency-repository.js'
import type { ClaimedKeys, KeyedRequest } from './claimed-keys.js'
import { type Outcome, otherRequest, stillInFlight, type UnknownOutcome, unknownOutcome } from './keyed-outcome.js'

/** How long a request waits for another one with its key. */
const MAX_WAIT_MS = 10_000
const FIRST_PAUSE_MS = 20
const MAX_PAUSE_MS = 400

/** A token, and whether it was issued before, to a request with the same key. */
export interface KeyedToken extends IssuedToken {
  readonly isReplayed?: true
}

/**
 * One token for one key, across all requests and instances: the request that claims the key in the database issues the
 * token, and all others wait for its outcome. What may have issued a token is never retried.
 */
export class Idempotency {
  readonly #keys: ClaimedKeys
  readonly #clock: Clock
  /** Keys with a request in flight in this process; other requests with the key wait for it. */
  readonly #inFlight = new Map<string, InFlightKey>()

  constructor(keys: ClaimedKeys, clock: Clock) {
    this.#keys = keys
    this.#clock = clock
  }

  async once(request: KeyedRequest, work: KeyedWork): Promise<KeyedToken> {
    const attempt = {
      claim: this.#keys.newClaim(request),
      deadline: this.#clock.uptime() + MAX_WAIT_MS,
      requestId: request.requestId,
      work,
    }
    const { service_id, key_hash, request_hash } = attempt.claim
    const name = `${service_id} ${key_hash}`
    for (;;) {
      const other = this.#inFlight.get(name)
      if (other === undefined) {
        // Deleted before the waiting requests check again.
        const work = this.#work(attempt).finally(() => this.#inFlight.delete(name))
        this.#inFlight.set(name, { request_hash, outcome: work.then(asOutcome, outcomeOf) })
        return work
      }
      if (other.request_hash !== request_hash) throw otherRequest()
      const outcome = await Promise.race([other.outcome, this.#clock.sleep(MAX_PAUSE_MS, { isInBackground: true })])
      if (outcome !== undefined) return replayed(outcome)
      this.#requireTime(attempt)
    }
  }

  /** Polls until this request claims the key, or another instance has an outcome. */
  async #work(attempt: Attempt): Promise<KeyedToken> {
    let mayBeFree = true
    for (let milliseconds = FIRST_PAUSE_MS; ; milliseconds = Math.min(milliseconds * 1.5, MAX_PAUSE_MS)) {
      const isPossible = attempt.work.isPossible()
      if (mayBeFree && isPossible && (await this.#keys.take(attempt.claim))) return this.#issue(attempt)
      const outcome = await this.#keys.outcomeOf(attempt.claim)
      if (typeof outcome === 'object') return replayed(outcome)
      this.#requireTime(attempt)
      mayBeFree = outcome === 'free'
      if (!mayBeFree) await this.#clock.sleep(milliseconds)
      else if (!isPossible) await attempt.work.refuse()
    }
  }

  async #issue({ claim, requestId, work }: Attempt): Promise<IssuedToken> {
    const token = await work.issue().catch(async error => {
      const unknown = outcomeOf(error)
      if (unknown === undefined) await this.#keys.release(claim, requestId)
      else await this.#keys.complete(claim, unknown, requestId)
      throw error
    })
    await this.#keys.complete(claim, token, requestId)
    return token
  }

  #requireTime({ deadline }: Attempt): void {
    if (this.#clock.uptime() >= deadline) throw stillInFlight()
  }
}

interface Attempt {
  readonly claim: KeyClaim
  readonly deadline: number
  readonly requestId: string
  readonly work: KeyedWork
}

/** The work for a key that is free. */
export interface KeyedWork {
  issue(): Promise<IssuedToken>
  /** Whether it makes sense to issue now, as far as can be known without asking the database. */
  isPossible(): boolean
  /** Throws the reason why not; the key stays free. */
  refuse(): Promise<void>
}

interface InFlightKey {
  readonly request_hash: string
  /** `undefined` if nothing was issued: the next request may try. */
  readonly outcome: Promise<Outcome | undefined>
}

/** The outcome of a failure; `undefined` if it is certain that nothing was issued. */
function outcomeOf(error: unknown): UnknownOutcome | undefined {
  if (!(error instanceof PublicError)) return { unknown: 500 }
  if (!error.mayHaveIssued) return undefined
  return { unknown: error.status === 503 || error.status === 504 ? error.status : 502 }
}

function replayed(outcome: Outcome): KeyedToken {
  if ('unknown' in outcome) throw unknownOutcome(outcome)
  return { ...outcome, isReplayed: true }
}

function asOutcome(token: IssuedToken): Outcome {
  return token
}
