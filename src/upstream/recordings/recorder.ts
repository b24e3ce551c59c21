import type { Logger } from 'pino'
import { type FailureKind, RequestFailure } from '../../connections/request-failure.js'
import type { Now } from '../../ground/clock.js'
import { pooledRandomness, type Randomness } from '../../ground/randomness.js'
import type { TokenExchange, UpstreamAnswer, UpstreamRequest } from '../token-exchange.js'
import { AnswerRedaction } from './answer-redaction.js'
import { type RecordingText, recordedAnswer } from './recording.js'
import { RecordingFolder } from './recording-folder.js'
import { withoutSecretValues } from './redaction.js'

/** An exchange that took place. */
interface Recorded {
  readonly request: UpstreamRequest
  /** When it was sent, in milliseconds since 1970. */
  readonly time: number
  /** From 1: how often it was sent. */
  readonly tries: number
  readonly outcome: UpstreamAnswer | FailureKind
}

/** So many exchanges wait for a slow disk; those beyond are not recorded. */
const MOST_WAITING = 1000

/** Writes exchanges down, one behind the other and after their answers. What cannot be written is lost, and nothing else. */
export class Recorder {
  readonly #folder: RecordingFolder
  readonly #logger: Logger
  readonly #random: Randomness
  readonly #waiting: Recorded[] = []
  #writing: Promise<void> | undefined
  /** Since it was said that exchanges are not recorded. */
  #lostNumber = 0
  /** One was lost since nothing waited. */
  #isLosing = false

  constructor(folder: string, logger: Logger, random = pooledRandomness()) {
    this.#folder = new RecordingFolder(folder)
    this.#logger = logger
    this.#random = random
  }

  record(recorded: Recorded): void {
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(recorded)
    else this.#lost('the disk is too slow')
    this.#writing ??= this.#writeAll()
  }

  /** Waits until all is written. */
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

  /** Says so once, until all that waited was written. */
  #lost(reason: string): void {
    if (this.#lostNumber === 0) this.#logger.warn({ reason }, 'exchanges with the upstream are not recorded')
    this.#lostNumber += 1
    this.#isLosing = true
  }
}

function recordingOf({ request, time, tries, outcome }: Recorded, random: Randomness): RecordingText {
  const { environment, customerId } = request
  return {
    format: 1,
    recordedAt: new Date(time).toISOString(),
    request: {
      environment,
      customerId,
      ...withoutSecretValues(request.parameters),
      ...(tries > 1 && { try: tries }),
    },
    ...(typeof outcome === 'string'
      ? { failure: outcome }
      : { answer: new AnswerRedaction(request, random).answer(recordedAnswer(outcome.status, outcome.body)) }),
  }
}

/** An exchange that is also recorded. Its answers do not wait for that. */
export function recordedExchange(exchange: TokenExchange, recorder: Recorder, now: Now): TokenExchange {
  const sendings = new WeakMap<UpstreamRequest, number>()
  return async (request, deadline, latestStart) => {
    const tries = (sendings.get(request) ?? 0) + 1
    sendings.set(request, tries)
    const time = now()
    const answer = await exchange(request, deadline, latestStart)
    const outcome = answer instanceof RequestFailure ? answer.kind : answer
    recorder.record({ request, time, tries, outcome })
    return answer
  }
}
