import type { SortedParameters } from '../../schemas/sorting.js'
import { framesOf, orUnavailable } from '../errors/public-error.js'
import type { Now } from '../ground/clock.js'
import type { Drm } from '../ground/drms.js'
import type { Environment } from '../ground/environment.js'
import type { Logger } from '../ground/logger.js'
import { type Randomness, randomBytes } from '../ground/randomness.js'
import type { IdempotencyRepository, KeyClaim } from '../store/idempotency-repository.js'
import { customerOfService, serviceId } from '../store/tables.js'
import type { TextSeal } from '../tokens/text-seal.js'
import type { Fingerprints } from './fingerprints.js'
import { type Outcome, openOutcome, otherRequest, sealedElsewhere, sealOutcome } from './keyed-outcome.js'

/** More than twice the longest time of a request, with room for clock differences: a request in flight for longer is dead. */
const LEASE_MS = 300_000

export interface KeyedRequest {
  readonly key: string
  readonly drm: Drm
  readonly customerId: number
  readonly environment: Environment
  readonly parameters: SortedParameters
  readonly requestId: string
}

/** Claimed keys, as all instances see them, and the outcomes of their requests. */
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
      // A request in flight keeps its key, and so does one with an unknown outcome.
      expires_at: now(customerId) + LEASE_MS + seconds * 1000,
    }
  }

  /** `false` if another request has the key. */
  async take(claim: KeyClaim): Promise<boolean> {
    const { repository, now } = this.#parts
    try {
      return await orUnavailable(repository.claim(claim, now(customerOfService(claim.service_id))))
    } catch (error) {
      // The claim may have succeeded without an answer, and nothing was issued yet.
      void repository.release(claim).catch(() => {})
      throw error
    }
  }

  /** The outcome of the request that has the key. Throws if that request was a different one. */
  async outcomeOf(claim: KeyClaim): Promise<Outcome | 'in flight' | 'free'> {
    const { repository, seal, now } = this.#parts
    const present = now(customerOfService(claim.service_id))
    const taken = await orUnavailable(repository.find(claim, present))
    if (taken === undefined) return 'free'
    if (taken.request_hash !== claim.request_hash) throw otherRequest()
    if (taken.outcome === null)
      return repository.isExclusive || taken.claimed_at <= present - LEASE_MS ? ABANDONED : 'in flight'
    const outcome = openOutcome(seal, taken, taken.outcome)
    if (outcome === undefined) throw sealedElsewhere()
    return outcome
  }

  async complete(claim: KeyClaim, outcome: Outcome, requestId: string): Promise<void> {
    const { repository, seal, now, seconds } = this.#parts
    const sealed = sealOutcome(seal, claim, outcome)
    const expiresAt = now(customerOfService(claim.service_id)) + seconds * 1000
    await this.#logFailure(repository.complete(claim, sealed, expiresAt), requestId)
  }

  async release(claim: KeyClaim, requestId: string): Promise<void> {
    await this.#logFailure(this.#parts.repository.release(claim), requestId)
  }

  /** The answer matters more than storing it: a failure is logged, and the key stays claimed. */
  async #logFailure(work: Promise<void>, requestId: string): Promise<void> {
    await work.catch((error: Error) => {
      const stack = framesOf(error)
      this.#parts.logger.error(
        { requestId, error: error.name, stack },
        'the outcome of an Idempotency-Key was not stored',
      )
    })
  }
}

/** Its process has died, or could not store the outcome. */
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
