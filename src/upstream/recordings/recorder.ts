import { type FailureKind, RequestFailure } from '../../connections/request-failure.js'
import { playready } from '../../drm/playready-family.js'
import type { Now } from '../../ground/clock.js'
import type { Logger } from '../../ground/logger.js'
import { pooledRandomness, type Randomness } from '../../ground/randomness.js'
import type { TokenExchange, UpstreamAnswer, UpstreamRequest } from '../token-exchange.js'
import { AnswerRedaction } from './answer-redaction.js'
import { type RecordingText, recordedAnswer } from './recording.js'
import { RecordingFolder } from './recording-folder.js'
import { withoutSecretValues } from './redaction.js'

/** A completed exchange. */
interface Recorded {
  readonly request: UpstreamRequest
  /** When it was sent, in milliseconds since 1970. */
  readonly time: number
  /** How often it was sent, from 1. */
  readonly tries: number
  readonly outcome: UpstreamAnswer | FailureKind
}

/** Exchanges that wait for a slow disk; further ones are not recorded. */
const MAX_WAITING = 1000

/** Records exchanges one by one, after their answers. Only an exchange that cannot be written is lost. */
export class Recorder {
  readonly #folder: RecordingFolder
  readonly #logger: Logger
  readonly #random: Randomness
  readonly #waiting: Recorded[] = []
  #writing: Promise<void> | undefined
  /** Lost exchanges since the warning. */
  #lostNumber = 0
  /** An exchange was lost since the queue was last empty. */
  #isLosing = false

  constructor(folder: string, logger: Logger, random = pooledRandomness()) {
    this.#folder = new RecordingFolder(folder)
    this.#logger = logger
    this.#random = random
  }

  record(recorded: Recorded): void {
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(recorded)
    else this.#lost('the disk is too slow')
    this.#writing ??= this.#writeAll()
  }

  /** Waits until all exchanges are written. */
  async close(): Promise<void> {
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    for (let recorded = this.#waiting.shift(); recorded !== undefined; recorded = this.#waiting.shift())
      try {
        await this.#folder.add(recordingOf(recorded, this.#random))
      } catch (error) {
        const { code }: NodeJS.ErrnoException = error instanceof Error ? error : new Error()
        this.#lost(code ?? 'unforeseen')
      }
    this.#writing = undefined
    if (!this.#isLosing && this.#lostNumber > 0) {
      this.#logger.info({ lost: this.#lostNumber }, 'exchanges with the upstream are recorded again')
      this.#lostNumber = 0
    }
    this.#isLosing = false
  }

  /** Logs the loss once, until the queue has been written. */
  #lost(reason: string): void {
    if (this.#lostNumber === 0) this.#logger.warn({ reason }, 'exchanges with the upstream are not recorded')
    this.#lostNumber += 1
    this.#isLosing = true
  }
}

function recordingOf({ request, time, tries, outcome }: Recorded, random: Randomness): RecordingText {
  const { environment, family, customerId } = request
  return {
    format: 1,
    recordedAt: new Date(time).toISOString(),
    request: {
      environment,
      ...(family !== playready && { path: family.tokenPath }),
      customerId,
      ...withoutSecretValues(request),
      ...(tries > 1 && { try: tries }),
    },
    ...(typeof outcome === 'string'
      ? { failure: outcome }
      : { answer: new AnswerRedaction(request, random).answer(recordedAnswer(outcome.status, outcome.body)) }),
  }
}

/** Records the exchange, too. Answers do not wait for the recording. */
export function recordedExchange(exchange: TokenExchange, recorder: Recorder, now: Now): TokenExchange {
  const triesOf = new WeakMap<UpstreamRequest, number>()
  return async (request, deadline, latestStart) => {
    const tries = (triesOf.get(request) ?? 0) + 1
    triesOf.set(request, tries)
    const time = now()
    const answer = await exchange(request, deadline, latestStart)
    const outcome = answer instanceof RequestFailure ? answer.kind : answer
    recorder.record({ request, time, tries, outcome })
    return answer
  }
}
