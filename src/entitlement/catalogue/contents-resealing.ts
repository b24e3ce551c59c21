import { framesOf } from '../../errors/public-error.js'
import type { Clock } from '../../ground/clock.js'
import type { Logger } from '../../ground/logger.js'
import type { ContentRepository } from '../../store/content-repository.js'
import type { TextSeal } from '../../tokens/text-seal.js'
import { placeOf } from './stored-contents.js'

/** Contents per step, with a pause after each step: token requests must not slow down. */
const STEP = 500
const PAUSE_MS = 20

/**
 * Reseals, once after each start, the contents that a former key of TOKEN_KEYS has sealed. Contents do not expire as
 * tokens do: they would be lost with the key.
 */
export class ContentsResealing {
  readonly #parts: ContentsResealingParts
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(parts: ContentsResealingParts) {
    this.#parts = parts
  }

  /** Resolves when it has finished or failed; never rejects. */
  start(): Promise<void> {
    this.#running = this.#run().catch((error: Error) =>
      this.#parts.logger.error(
        { error: error.name, stack: framesOf(error) },
        'contents could not be sealed with the first of TOKEN_KEYS; the next start tries again',
      ),
    )
    return this.#running
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { repository, seal, logger } = this.#parts
    let count = 0
    let after = ''
    while (!this.#isStopping) {
      const step = await repository.beginnings(after, STEP, seal.mark.length)
      for (const { content_id, beginning } of step)
        if (beginning !== seal.mark && !this.#isStopping && (await this.#reseal(content_id))) count += 1
      const last = step.at(-1)
      if (last === undefined || step.length < STEP) break
      after = last.content_id
      await this.#parts.clock.sleep(PAUSE_MS, { signal: this.#stopping.signal })
    }
    if (count > 0) logger.info({ contents: count }, 'contents are sealed with the first of TOKEN_KEYS now')
  }

  async #reseal(contentID: string): Promise<boolean> {
    const { repository, seal } = this.#parts
    const row = await repository.find(contentID)
    if (row === undefined) return false
    const text = seal.open(placeOf(contentID), row.sealed)
    return text !== undefined && repository.reseal(row, seal.seal(placeOf(contentID), text))
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted
  }
}

export interface ContentsResealingParts {
  readonly repository: ContentRepository
  readonly seal: TextSeal
  readonly clock: Clock
  readonly logger: Logger
}
