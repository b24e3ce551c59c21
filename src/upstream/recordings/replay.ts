import { RequestFailure } from '../../connections/request-failure.js'
import type { Now } from '../../ground/clock.js'
import { NotRecorded, type Outcome, readTokenAnswer } from '../token-answer.js'
import type { UpstreamRequest } from '../token-exchange.js'
import type { Upstream } from '../upstream-issuer.js'
import { type Compared, compared, differingNames, leadOf, TOKEN_PATH } from './matching.js'
import { bodyOf } from './recording.js'
import { readRecordings } from './recording-folder.js'
import { type Series, SeriesIndex } from './series.js'

/** Answers with the recordings of a folder, as if they were made now. */
export class Replay implements Upstream {
  readonly #series: SeriesIndex
  readonly #now: Now

  constructor(folder: string, now: Now) {
    this.#series = new SeriesIndex(readRecordings(folder))
    this.#now = now
  }

  refusal(): undefined {}

  /** Each series from its first recording on again. */
  restart(): void {
    for (const series of this.#series.all) series.restart()
  }

  async ask(request: UpstreamRequest): Promise<Outcome> {
    const now = this.#now(request.customerId)
    const asked = compared(request, now)
    const series = this.#series.find(asked, request.customerId)
    if (series === undefined) return new NotRecorded(nearestText(this.#series.all, asked))
    const { recordedAt, answer, failure } = series.next()
    if (failure !== undefined) return new RequestFailure(failure)
    if (answer === undefined) throw new Error('a recording has an answer or a failure')
    return readTokenAnswer({ status: answer.status, body: moved(bodyOf(answer), now - recordedAt) }, request)
  }

  async close(): Promise<void> {}
}

const MOMENT = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?=Z|[+-]\d\d:\d\d)/g

/** Moves the RFC 3339 moments of a text by `milliseconds` and preserves the format of each. */
function moved(text: string, milliseconds: number): string {
  return text.replace(MOMENT, (moment: string, seconds: string, fraction: string | undefined) => {
    const thousandths = Number((fraction ?? '').padEnd(3, '0').slice(0, 3))
    const target = new Date(Date.parse(`${seconds}Z`) + thousandths + milliseconds)
    if (Number.isNaN(target.getTime()) || target.getUTCFullYear() > 9999) return moment
    const [whole = '', rest = ''] = target.toISOString().replace('Z', '').split('.')
    return fraction === undefined ? whole : `${whole}.${rest.padEnd(fraction.length, '0').slice(0, fraction.length)}`
  })
}

const MAX_NAMED = 8
const MAX_TEXT = 60
/** Comparing all of a larger folder would hold up other requests. */
const MAX_COMPARED = 5000

/** Helps to fix a request without a matching recording: names the nearest recording and its differing values. */
function nearestText(series: readonly Series[], asked: Compared): string {
  const [nearest] = series
    .slice(0, MAX_COMPARED)
    .map(({ file, first }) => ({ file, recorded: first, names: differingNames(first, asked) }))
    .sort((one, other) => one.names.length - other.names.length)
  if (nearest === undefined) return 'nothing is recorded'
  const { file, recorded, names } = nearest
  const named = names.slice(0, MAX_NAMED).map(name => `${shortened(name)} ${isThere(name, recorded)}`)
  const more = names.length > MAX_NAMED ? [`and ${names.length - MAX_NAMED} more`] : []
  return `no recorded exchange is like this request; in the nearest, ${file}, ${[...named, ...more].join(', ')}`
}

function isThere(name: string, recorded: Compared): string {
  if (name === 'environment') return `is ${recorded.environment}`
  if (name === TOKEN_PATH) return `is ${recorded.family.tokenPath}`
  const lead = leadOf(name, recorded)
  if (lead !== undefined) return `is ${Math.round(lead / 1000)} seconds after the request`
  const value = recorded.parameters[name]
  if (value !== undefined) return `is ${JSON.stringify(shortened(String(value)))}`
  return recorded.secrets.includes(name) ? 'is given' : 'is not given'
}

function shortened(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
}
