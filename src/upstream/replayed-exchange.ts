import { TokenError, UNAVAILABLE } from '../errors/public-error.js'
import type { Exchange, UpstreamAnswer, UpstreamRequest } from './exchange.js'
import { UpstreamFailure } from './failure.js'
import { readRecordings } from './recordings/folder.js'
import { compared } from './recordings/matching.js'
import { moved } from './recordings/moments.js'
import { nearestText } from './recordings/nearest.js'
import { bodyOf } from './recordings/recording.js'
import { SeriesIndex } from './recordings/series.js'

/** There is no recording of such a request. Nobody was asked. */
export class NotRecorded extends TokenError {
  constructor(details: string) {
    super({ code: UNAVAILABLE, details }, { status: 502, isRecorded: true })
  }
}

/** Answers what was recorded in a folder, as if it were recorded now. */
export class ReplayedExchange implements Exchange {
  readonly #series: SeriesIndex
  readonly #now: () => number

  constructor(folder: string, now: () => number) {
    this.#series = new SeriesIndex(readRecordings(folder))
    this.#now = now
  }

  async send(request: UpstreamRequest): Promise<UpstreamAnswer> {
    const now = this.#now()
    const asked = compared(request, now)
    const series = this.#series.find(asked, request.customerId)
    if (series === undefined) throw new NotRecorded(nearestText(this.#series.all, asked))
    const { recordedAt, answer, failure } = series.next()
    if (failure !== undefined) throw new UpstreamFailure(failure)
    if (answer === undefined) throw new Error('a recording has an answer or a failure')
    return { status: answer.status, body: moved(bodyOf(answer), now - recordedAt) }
  }

  async close(): Promise<void> {}
}
