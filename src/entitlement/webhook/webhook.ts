import type { Content } from '../../../schemas/content-entry.js'
import type { WebhookSettings } from '../../config/settings-entitlement.js'
import { RequestFailure } from '../../connections/request-failure.js'
import { EntitlementRefusal } from '../../errors/entitlement-refusal.js'
import type { Clock } from '../../ground/clock.js'
import { InFlight } from '../../ground/in-flight.js'
import type { Logger } from '../../ground/logger.js'
import { type Randomness, randomBytes } from '../../ground/randomness.js'
import type { ViewerAuthorizer, ViewerQuestion } from '../granting.js'
import { NoVerdict, readVerdict, type Verdict } from './verdict.js'
import { keyOf, VerdictCache } from './verdict-cache.js'
import { WebhookEndpoint } from './webhook-endpoint.js'

export interface WebhookParts {
  readonly settings: WebhookSettings
  /** The machine's: questions are signed with its time, which the endpoint compares with its own. */
  readonly clock: Clock
  /** Milliseconds by which verdicts are valid. */
  readonly elapsed: () => number
  readonly random: Randomness
  readonly logger: Logger
}

/** Asks the customer's own endpoint. Anything but a clear yes is a no. */
export class Webhook implements ViewerAuthorizer {
  readonly #parts: WebhookParts
  readonly #endpoint: WebhookEndpoint
  readonly #cache: VerdictCache
  /** Questions in flight whose answers other requests may share. */
  readonly #shared = new Map<string, Promise<Verdict>>()
  readonly #inFlight = new InFlight()
  /** The newest answer of each question in flight. */
  readonly #answers = new Map<string, Answers>()
  #asked = 0

  constructor(parts: WebhookParts) {
    this.#parts = parts
    this.#endpoint = new WebhookEndpoint(parts)
    this.#cache = new VerdictCache(parts.elapsed)
  }

  async allow(question: ViewerQuestion): Promise<Content | undefined> {
    const key = keyOf(question)
    const verdict = this.#cache.find(key) ?? (await this.#shareOrAsk(question, key))
    if (!verdict.isAllowed) throw new EntitlementRefusal('webhookDenied', { details: verdict.reason })
    return verdict.content
  }

  clearCache(): void {
    this.#cache.clear()
  }

  /** Waits for the questions in flight; the timeout of each bounds the wait. */
  async close(): Promise<void> {
    await this.#inFlight.idle()
    await this.#endpoint.close()
  }

  async #shareOrAsk(question: ViewerQuestion, key: string): Promise<Verdict> {
    if (this.#parts.settings.cacheSeconds === 0) return this.#ask(question, key)
    const askedByAnother = this.#shared.get(key)
    if (askedByAnother !== undefined) {
      const verdict = await askedByAnother
      // A verdict for one request only must not be shared.
      return verdict.holdsSeconds > 0 ? verdict : this.#ask(question, key)
    }
    const asking = this.#ask(question, key)
    this.#shared.set(key, asking)
    try {
      return await asking
    } finally {
      this.#shared.delete(key)
    }
  }

  async #ask(question: ViewerQuestion, key: string): Promise<Verdict> {
    this.#inFlight.begin()
    const number = ++this.#asked
    const answers = this.#answers.get(key) ?? { newest: 0, awaited: 0 }
    this.#answers.set(key, answers)
    answers.awaited += 1
    try {
      const verdict = await this.#answer(question)
      // A late answer to an older question is stale.
      if (number > answers.newest) {
        answers.newest = number
        this.#cache.add(key, verdict)
      }
      return verdict
    } finally {
      answers.awaited -= 1
      if (answers.awaited === 0) this.#answers.delete(key)
      this.#inFlight.end()
    }
  }

  async #answer(question: ViewerQuestion): Promise<Verdict> {
    const { random, settings, logger } = this.#parts
    // It is signed with the rest, so that the endpoint can recognize a replayed question.
    const requestID = randomBytes(random, 16).toString('hex')
    const { contentID, requestType, customerCookie, drm } = question
    const answer = await this.#endpoint.ask(JSON.stringify({ requestID, contentID, requestType, customerCookie, drm }))
    const { cacheSeconds } = settings
    const outcome = answer instanceof RequestFailure ? answer : readVerdict(answer, { contentID, cacheSeconds })
    if (!(outcome instanceof RequestFailure || outcome instanceof NoVerdict)) return outcome
    const { kind, reason } = outcome
    logger.warn({ webhookRequestID: requestID, contentID, failure: kind, reason }, 'the webhook did not decide')
    throw new EntitlementRefusal('webhookFailed')
  }
}

/** The answers to one question that several requests ask at the same time. */
interface Answers {
  /** The number of the newest answered question. */
  newest: number
  awaited: number
}
