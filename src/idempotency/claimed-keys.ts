import type { Logger } from 'pino'
import type { SortedParameters } from '../../schemas/sorting.js'
import { framesOf, orUnavailable } from '../errors/public-error.js'
import type { Now } from '../ground/clock.js'
import type { Drm } from '../ground/drms.js'
import type { Environment } from '../ground/environment.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'
import type { IdempotencyRepository, KeyClaim } from '../store/idempotency-repository.js'
import { serviceId } from '../store/tables.js'
import type { TextSeal } from '../tokens/text-seal.js'
import type { Fingerprints } from './fingerprints.js'
import { type Outcome, openOutcome, otherRequest, sealedElsewhere, sealOutcome } from './keyed-outcome.js'

/** More than twice the longest time of a request, and room for clocks that differ: what has not ended never will. */
const LEASE_MS = 300_000

export interface KeyedRequest {
  readonly key: string
  readonly drm: Drm
  readonly customerId: number
  readonly environment: Environment
  readonly parameters: SortedParameters
  readonly requestId: string
}

/** The keys that are taken, as all instances see them, and what came of their requests. */
export class ClaimedKeys {
  readonly #parts: ClaimedKeysParts

  constructor(parts: ClaimedKeysParts) {
    this.#parts = parts
  }

  newClaim({ key, drm, customerId, environment, parameters }: KeyedRequest): KeyClaim {
    const { fingerprints, random, now, seconds } = this.#parts
    const service_id = serviceId(customerId, environment)
    return {
      service_id,
      key_hash: fingerprints.ofKey(service_id, key),
      request_hash: fingerprints.ofRequest(drm, parameters),
      claim: randomBytes(random, 16).toString('hex'),
      // A request that is under way keeps its key, and so does one whose end nobody knows.
      expires_at: now() + LEASE_MS + seconds * 1000,
    }
  }

  /** `false` when somebody has it. */
  async take(claim: KeyClaim): Promise<boolean> {
    const { repository, now } = this.#parts
    try {
      return await orUnavailable(repository.claim(claim, now()))
    } catch (error) {
      // The database may have taken it without being able to say so, and nothing was asked for yet.
      void repository.release(claim).catch(() => {})
      throw error
    }
  }

  /** What came of the request that has the key; a refusal where that was another one than this. */
  async outcomeOf(claim: KeyClaim): Promise<Outcome | 'under way' | 'nobody has it'> {
    const { repository, seal, now } = this.#parts
    const taken = await orUnavailable(repository.find(claim, now()))
    if (taken === undefined) return 'nobody has it'
    if (taken.request_hash !== claim.request_hash) throw otherRequest()
    if (taken.outcome === null)
      return repository.isExclusive || taken.claimed_at <= now() - LEASE_MS ? ABANDONED : 'under way'
    const outcome = openOutcome(seal, taken, taken.outcome)
    if (outcome === undefined) throw sealedElsewhere()
    return outcome
  }

  async complete(claim: KeyClaim, outcome: Outcome, requestId: string): Promise<void> {
    const { repository, seal, now, seconds } = this.#parts
    const sealed = sealOutcome(seal, claim, outcome)
    await this.#noted(repository.complete(claim, sealed, now() + seconds * 1000), requestId)
  }

  async release(claim: KeyClaim, requestId: string): Promise<void> {
    await this.#noted(this.#parts.repository.release(claim), requestId)
  }

  /** The answer is worth more than its memory: without one the key stays taken. */
  async #noted(work: Promise<void>, requestId: string): Promise<void> {
    await work.catch((error: Error) => {
      const stack = framesOf(error)
      this.#parts.logger.error(
        { requestId, error: error.name, stack },
        'what became of an Idempotency-Key was not kept',
      )
    })
  }
}

/** Its process has ended, or could not write down what came of it. */
const ABANDONED = { unknown: 502 } as const

export interface ClaimedKeysParts {
  readonly repository: IdempotencyRepository
  readonly fingerprints: Fingerprints
  readonly seal: TextSeal
  /** How long an outcome is remembered. */
  readonly seconds: number
  readonly logger: Logger
  /** As all instances on the database have it. */
  readonly now: Now
  readonly random: Randomness
}
