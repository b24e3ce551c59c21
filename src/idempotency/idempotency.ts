import type { IssuedToken } from '../drm/family.js'
import { PublicError } from '../errors/public-error.js'
import type { Clock } from '../ground/clock.js'
import type { KeyClaim } from '../store/idempotency-repository.js'
import type { ClaimedKeys, KeyedRequest } from './claimed-keys.js'
import { type Outcome, otherRequest, stillUnderWay, type UnknownOutcome, unknownOutcome } from './keyed-outcome.js'

/** So long a request waits for another one with its key. */
const PATIENCE_MS = 10_000
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 400

/** A token, and whether it was issued before, to a request with the same key. */
export interface KeyedToken extends IssuedToken {
  readonly isReplayed?: true
}

/**
 * One token for one key, however often it is asked for and of how many instances: who takes the key in the database
 * issues it, and all others wait for what comes of that. What may have issued a token is never done again.
 */
export class Idempotency {
  readonly #keys: ClaimedKeys
  readonly #clock: Clock
  /** The keys that somebody in this process works for; all others in it wait for that one. */
  readonly #underWay = new Map<string, UnderWay>()

  constructor(keys: ClaimedKeys, clock: Clock) {
    this.#keys = keys
    this.#clock = clock
  }

  async once(request: KeyedRequest, work: KeyedWork): Promise<KeyedToken> {
    const attempt = {
      claim: this.#keys.newClaim(request),
      deadline: this.#clock.uptime() + PATIENCE_MS,
      requestId: request.requestId,
      work,
    }
    const { service_id, key_hash, request_hash } = attempt.claim
    const name = `${service_id} ${key_hash}`
    for (;;) {
      const other = this.#underWay.get(name)
      if (other === undefined) {
        // Gone before those who wait for it look again.
        const work = this.#work(attempt).finally(() => this.#underWay.delete(name))
        this.#underWay.set(name, { request_hash, outcome: work.then(asItIs, outcomeOf) })
        return work
      }
      if (other.request_hash !== request_hash) throw otherRequest()
      const outcome = await Promise.race([other.outcome, this.#clock.sleep(LONGEST_PAUSE_MS, { isInBackground: true })])
      if (outcome !== undefined) return replayed(outcome)
      this.#requireTime(attempt)
    }
  }

  /** Until the key is this request's, or another instance has an answer. */
  async #work(attempt: Attempt): Promise<KeyedToken> {
    let mayBeFree = true
    for (let milliseconds = FIRST_PAUSE_MS; ; milliseconds = Math.min(milliseconds * 1.5, LONGEST_PAUSE_MS)) {
      const isPossible = attempt.work.isPossible()
      if (mayBeFree && isPossible && (await this.#keys.take(attempt.claim))) return this.#issue(attempt)
      const outcome = await this.#keys.outcomeOf(attempt.claim)
      if (typeof outcome === 'object') return replayed(outcome)
      this.#requireTime(attempt)
      mayBeFree = outcome === 'nobody has it'
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
    if (this.#clock.uptime() >= deadline) throw stillUnderWay()
  }
}

interface Attempt {
  readonly claim: KeyClaim
  readonly deadline: number
  readonly requestId: string
  readonly work: KeyedWork
}

/** What is done for a key that nobody has used. */
export interface KeyedWork {
  issue(): Promise<IssuedToken>
  /** Whether it makes sense to issue now, as far as can be known without asking the database. */
  isPossible(): boolean
  /** Throws why it does not; a key is not taken for that. */
  refuse(): Promise<void>
}

interface UnderWay {
  readonly request_hash: string
  /** `undefined` when there is none: the next one may try. */
  readonly outcome: Promise<Outcome | undefined>
}

/** What remains of a failure: where it is certain that nothing was issued, nothing does. */
function outcomeOf(error: unknown): UnknownOutcome | undefined {
  if (!(error instanceof PublicError)) return { unknown: 500 }
  if (!error.mayHaveIssued) return undefined
  return { unknown: error.status === 503 || error.status === 504 ? error.status : 502 }
}

function replayed(outcome: Outcome): KeyedToken {
  if ('unknown' in outcome) throw unknownOutcome(outcome)
  return { ...outcome, isReplayed: true }
}

function asItIs(token: IssuedToken): Outcome {
  return token
}
