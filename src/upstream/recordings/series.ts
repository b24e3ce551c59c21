import type { NamedRecording } from './folder.js'
import { type Compared, distance, fingerprint, withStoredKeys } from './matching.js'
import { isTellable, withoutSecretValues } from './redaction.js'

/** Recordings of one request that was sent several times, in their order. */
class Series {
  readonly customerId: number
  readonly #first: Compared
  readonly #recordings: NamedRecording[] = []
  #told = 0

  constructor(recording: NamedRecording) {
    this.customerId = recording.request.customerId
    this.#first = comparedOf(recording)
    this.add(recording)
  }

  /** A try that was followed by another is not what the caller was told. */
  add(recording: NamedRecording): void {
    const before = (recording.request.try ?? 1) - 1
    const earlier = this.#recordings.findLastIndex(
      ({ request, failure }) => before > 0 && failure !== undefined && (request.try ?? 1) === before,
    )
    if (earlier !== -1) this.#recordings.splice(earlier, 1)
    this.#recordings.push(recording)
  }

  distanceTo(asked: Compared): number | undefined {
    return distance(this.#first, asked)
  }

  /** Each in its turn, then the last one again and again. */
  next(): NamedRecording {
    const recording = this.#recordings[Math.min(this.#told, this.#recordings.length - 1)]
    if (recording === undefined) throw new Error('a series has a recording')
    this.#told += 1
    return recording
  }
}

/** Whoever wrote it by hand may show more than we do. */
export function comparedOf({ request, recordedAt }: NamedRecording): Compared {
  const { parameters, secrets } = withoutSecretValues(request.parameters)
  const hidden = new Set([...secrets, ...request.secrets.filter(isTellable)])
  return { environment: request.environment, parameters, secrets: [...hidden], time: recordedAt }
}

/** All series, to be found by a request. */
export class SeriesIndex {
  readonly #byFingerprint = new Map<string, Series[]>()

  constructor(recordings: readonly NamedRecording[]) {
    for (const recording of recordings) {
      const request = comparedOf(recording)
      const alike = this.#alike(request)
      const own = alike.filter(({ customerId }) => customerId === recording.request.customerId)
      const same = closest(own, request)
      if (same === undefined) this.#byFingerprint.set(fingerprint(request), [...alike, new Series(recording)])
      else same.add(recording)
    }
  }

  find(asked: Compared, customerId: number): Series | undefined {
    return this.#closest(asked, customerId) ?? this.#closest(withStoredKeys(asked), customerId)
  }

  /** Those of the same customer come first: a suite may run with another account than the one that was recorded. */
  #closest(asked: Compared, customerId: number): Series | undefined {
    const alike = this.#alike(asked)
    const own = alike.filter(one => one.customerId === customerId)
    return closest(own, asked) ?? closest(alike, asked)
  }

  #alike(request: Compared): readonly Series[] {
    return this.#byFingerprint.get(fingerprint(request)) ?? []
  }
}

function closest(series: readonly Series[], asked: Compared): Series | undefined {
  const alike = series.flatMap(one => {
    const distance = one.distanceTo(asked)
    return distance === undefined ? [] : [{ one, distance }]
  })
  return alike.sort((a, b) => a.distance - b.distance)[0]?.one
}
